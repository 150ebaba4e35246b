/**
 * Addresses: from the text that a person writes to the one form that adapters dial and listen on, and back to a URL.
 *
 * Accepted as text are URLs (`heartwire://host:port`, `heartwire+unix:///path`) and the short forms of the command line:
 * `host:port`, `host`, `:port`, a bare port, `[v6]:port`, and a path, which is what has a `/` or begins with `.`.
 *
 * Rules: one function reads them all, so that the library and the command cannot differ. Nothing is looked up and no
 * file is touched here. What cannot be an address is refused with what is wrong and what to write instead.
 *
 * @module
 */

import { HeartwireError } from "../core/errors.ts";

/** The port of `heartwire://host` without one. */
export const DEFAULT_PORT = 7433;
/** The host of `:port` and of a bare port: this machine only, so that nothing is opened to the world unasked. */
export const DEFAULT_HOST = "127.0.0.1";

/** A TCP address. */
export interface TcpAddress {
  /** Which kind it is. */
  readonly kind: "tcp";
  /** A name or an IP address; IPv6 without brackets. */
  readonly host: string;
  /** 0 .. 65,535; 0 is for listening only and takes a free one. */
  readonly port: number;
  /** The same as a URL. */
  readonly url: string;
}

/** A Unix socket's address. */
export interface UnixAddress {
  /** Which kind it is. */
  readonly kind: "unix";
  /** The socket's file; empty for a client's own end, which has none. */
  readonly path: string;
  /** The same as a URL. */
  readonly url: string;
}

/** Where to dial or listen, and where a peer is. */
export type Address = TcpAddress | UnixAddress;

/** An address as an application may give it: text in any of its forms, a URL, or what this library gave. */
export type AddressLike = string | URL | Address;

/** What `sun_path` holds on Linux without its final zero. Longer paths are cut by some runtimes, not refused. */
const UNIX_PATH_MAX = 107;

/** Makes a TCP address. Does not check: for what a runtime reports. */
export function tcpAddress(host: string, port: number): TcpAddress {
  const shown = host.includes(":") ? `[${host.replace("%", "%25")}]` : host;
  return Object.freeze({ kind: "tcp", host, port, url: `heartwire://${shown}:${port}` });
}

/**
 * The own address of all that a listener at this address accepts; null: they differ, for it listens on every one, or a runtime may write it
 * otherwise. To ask each socket for its own takes a system call.
 */
export function localOf(bound: Address): Address | null {
  if (bound.kind === "unix") return bound;
  return isIPv4(bound.host) && bound.host !== "0.0.0.0" ? bound : null;
}

/** Makes a Unix socket's address. Does not check: for what a runtime reports. */
export function unixAddress(path: string): UnixAddress {
  const shown = path.replace(/[%?#\s]/g, (char) => encodeURIComponent(char));
  return Object.freeze({ kind: "unix", path, url: `heartwire+unix://${shown}` });
}

function wrong(text: string, what: string, hint: string): HeartwireError {
  return new HeartwireError("ADDRESS", `address ${JSON.stringify(text.slice(0, 200))}: ${what}`, { hint });
}

function readPort(text: string, digits: string): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : -1;
  if (port < 0 || port > 65_535) {
    throw wrong(text, `${JSON.stringify(digits)} is not a port`, "A port is a number from 0 to 65535.");
  }
  return port;
}

function readPath(text: string, path: string): UnixAddress {
  if (path === "" || path === "/") {
    throw wrong(text, "the socket's path is missing", "Write heartwire+unix:///path/to/socket.");
  }
  if (path.includes("\0")) {
    throw wrong(text, "the path has a zero byte", "Name a socket in the file system.");
  }
  if (new TextEncoder().encode(path).length > UNIX_PATH_MAX) {
    throw wrong(
      text,
      `the path is longer than ${UNIX_PATH_MAX} bytes`,
      "The system takes no longer socket path; choose a shorter one, or one relative to the working directory.",
    );
  }
  return unixAddress(path);
}

/** `host:port`, `host`, `:port`, `[v6]:port`, `[v6]`, a bare v6; what follows the scheme, or all of a short form. */
function readHostPort(text: string, rest: string): TcpAddress {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest);
  if (bracketed !== null) {
    const host = bracketed[1]!.replace(/%25/, "%");
    if (groupsOf(host) === null) {
      throw wrong(text, `${JSON.stringify(host)} is not an IPv6 address`, "Brackets hold IPv6 only.");
    }
    return tcpAddress(host, bracketed[2] === undefined ? DEFAULT_PORT : readPort(text, bracketed[2]));
  }
  if (groupsOf(rest) !== null) return tcpAddress(rest, DEFAULT_PORT);
  const colon = rest.lastIndexOf(":");
  const host = colon < 0 ? rest : rest.slice(0, colon);
  if (!/^[\p{L}\p{N}._-]*$/u.test(host)) {
    throw wrong(
      text,
      `${JSON.stringify(host)} is not a host`,
      "Write host:port, or [address]:port for IPv6.",
    );
  }
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) {
    throw wrong(text, `${JSON.stringify(host)} is not an IPv4 address`, "Write four numbers from 0 to 255.");
  }
  return tcpAddress(
    host === "" ? DEFAULT_HOST : host,
    colon < 0 ? DEFAULT_PORT : readPort(text, rest.slice(colon + 1)),
  );
}

function isIPv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/**
 * The eight groups of an IPv6 address, or null if it is none. RFC 4291 section 2.2: `::` for zeros once, the last two groups
 * perhaps as IPv4; a zone may follow.
 */
function groupsOf(host: string): number[] | null {
  if (!host.includes(":")) return null; // most are none, and each connection that comes asks
  const [bare, zone, ...more] = host.split("%") as [string, ...string[]];
  if (more.length > 0 || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return null;
  const sides: number[][] = [];
  const halves = bare.split("::");
  for (const [half, text] of halves.entries()) {
    const groups: number[] = [];
    const parts = text === "" ? [] : text.split(":");
    for (const [at, part] of parts.entries()) {
      if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
      else if (half === halves.length - 1 && at === parts.length - 1 && isIPv4(part)) {
        const [a, b, c, d] = part.split(".").map(Number) as [number, number, number, number];
        groups.push(a * 256 + b, c * 256 + d);
      } else return null;
    }
    sides.push(groups);
  }
  const [left, right, ...others] = sides as [number[], ...number[][]];
  const zeros = 8 - left.length - (right?.length ?? 0);
  if (others.length > 0 || (right === undefined ? zeros !== 0 : zeros < 1)) return null;
  return [...left, ...new Array<number>(zeros).fill(0), ...right ?? []];
}

/** What a socket for both kinds of addresses puts before an IPv4 one. */
const MAPPED = "::ffff:";

/**
 * The network that whoever is at a host may choose addresses from: an IPv6 host's /64, which is the least that a subscriber gets; an
 * IPv4 host alone, also when it is written as IPv6.
 */
export function networkOf(host: string): string {
  if (host.startsWith(MAPPED) && isIPv4(host.slice(MAPPED.length))) return host.slice(MAPPED.length);
  const groups = groupsOf(host);
  if (groups === null) return host;
  const [high, low] = groups.slice(6) as [number, number];
  if (groups.slice(0, 6).join() === "0,0,0,0,0,65535") {
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return `${groups.slice(0, 4).map((group) => group.toString(16)).join(":")}::/64`;
}

/**
 * Reads an address in any of its forms.
 *
 * @throws {HeartwireError} `ERR_HEARTWIRE_ADDRESS` when it cannot be one; `ERR_HEARTWIRE_TLS_UNSUPPORTED` for
 * `heartwires://`.
 */
export function parseAddress(given: AddressLike): Address {
  if (typeof given === "string") return parseText(given);
  if (given instanceof URL) return parseText(given.href);
  if (given?.kind === "tcp" && typeof given.host === "string") {
    return tcpAddress(given.host, readPort(given.host, String(given.port)));
  }
  if (given?.kind === "unix" && typeof given.path === "string") return readPath(given.path, given.path);
  const got = given === null ? "null" : typeof given;
  throw new HeartwireError("ADDRESS", `expected an address: text, a URL or an Address; got ${got}`, {
    hint: "Write heartwire://host:port.",
  });
}

function parseText(text: string): Address {
  const url = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text);
  if (url === null) {
    if (text === "") throw wrong(text, "it is empty", "Write host:port, a path or a URL.");
    if (/^\d+$/.test(text)) return tcpAddress(DEFAULT_HOST, readPort(text, text));
    if (text.includes("/") || text.startsWith(".")) return readPath(text, text);
    return readHostPort(text, text);
  }
  const scheme = url[1]!.toLowerCase();
  const rest = url[2]!;
  switch (scheme) {
    case "heartwire": {
      if (/[/?#@]/.test(rest.replace(/\/$/, ""))) {
        throw wrong(
          text,
          "more than a host and a port",
          "Write heartwire://host:port and nothing behind it.",
        );
      }
      return readHostPort(text, rest.replace(/\/$/, ""));
    }
    case "heartwire+unix": {
      if (!rest.startsWith("/")) {
        throw wrong(
          text,
          "the path is not absolute",
          "Write three slashes: heartwire+unix:///path/to/socket.",
        );
      }
      return readPath(text, decoded(text, rest));
    }
    case "heartwires": // The place for TLS: an address of kind "tls" and a transport that encrypts.
      throw new HeartwireError("TLS_UNSUPPORTED", "heartwires:// (TLS) is not offered by this version", {
        hint: "Use heartwire:// inside a trusted network or a tunnel.",
      });
    default:
      throw wrong(
        text,
        `the scheme ${JSON.stringify(scheme)} is not known`,
        "The schemes are heartwire:// and heartwire+unix://.",
      );
  }
}

function decoded(text: string, path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw wrong(text, "a % that begins no escape", "Write %25 for a percent sign in a URL's path.");
  }
}
