/**
 * Addresses: each form that a person may write, and what each mistake is answered with.
 * @module
 */

import { describe, test } from "node:test";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { networkOf, parseAddress, tcpAddress, unixAddress } from "../../adapters/address.ts";
import { HeartwireError } from "../../core/mod.ts";

describe("addresses that are", () => {
  const tcp: readonly (readonly [string, string, number])[] = [
    ["heartwire://127.0.0.1:9000", "127.0.0.1", 9000],
    ["heartwire://example.org", "example.org", 7433],
    ["heartwire://example.org/", "example.org", 7433],
    ["HEARTWIRE://example.org:1", "example.org", 1],
    ["heartwire://localhost:0", "localhost", 0],
    ["heartwire://:65535", "127.0.0.1", 65535],
    ["heartwire://[::1]:9000", "::1", 9000],
    ["heartwire://[::1]", "::1", 7433],
    ["heartwire://[fe80::1%25eth0]:9000", "fe80::1%eth0", 9000],
    ["heartwire://bücher.example:5", "bücher.example", 5],
    ["127.0.0.1:9000", "127.0.0.1", 9000],
    ["example.org", "example.org", 7433],
    ["localhost:1", "localhost", 1],
    [":9000", "127.0.0.1", 9000],
    ["9000", "127.0.0.1", 9000],
    ["0", "127.0.0.1", 0],
    ["::1", "::1", 7433],
    ["::", "::", 7433],
    ["[::]:80", "::", 80],
    ["2001:db8::192.0.2.1", "2001:db8::192.0.2.1", 7433],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 7433],
    ["0.0.0.0:80", "0.0.0.0", 80],
  ];
  for (const [text, host, port] of tcp) {
    test(text, () => {
      const address = parseAddress(text);
      assertEquals(address, tcpAddress(host, port));
      assertEquals(parseAddress(address.url), address, "its URL means the same");
    });
  }

  const unix: readonly (readonly [string, string, string])[] = [
    ["heartwire+unix:///run/app.sock", "/run/app.sock", "heartwire+unix:///run/app.sock"],
    ["heartwire+unix:///tmp/a%20b%25.sock", "/tmp/a b%.sock", "heartwire+unix:///tmp/a%20b%25.sock"],
    ["/tmp/x.sock", "/tmp/x.sock", "heartwire+unix:///tmp/x.sock"],
    ["./x.sock", "./x.sock", "heartwire+unix://./x.sock"],
    ["run/x?y#z", "run/x?y#z", "heartwire+unix://run/x%3Fy%23z"],
  ];
  for (const [text, path, url] of unix) {
    test(text, () => {
      const address = parseAddress(text);
      assertEquals(address, unixAddress(path));
      assertEquals(address.url, url);
    });
  }
});

describe("addresses that are no text", () => {
  test("URLs", () => {
    assertEquals(parseAddress(new URL("heartwire://10.0.0.2:9000")), tcpAddress("10.0.0.2", 9000));
    assertEquals(parseAddress(new URL("heartwire://[::1]/")), tcpAddress("::1", 7433));
    assertEquals(parseAddress(new URL("heartwire+unix:///run/a%20b")), unixAddress("/run/a b"));
    const error = assertThrows(() => parseAddress(new URL("http://10.0.0.2")), HeartwireError);
    assertEquals(error.code, "ERR_HEARTWIRE_ADDRESS");
  });

  test("addresses", () => {
    for (const address of [tcpAddress("fe80::1%eth0", 1), unixAddress("./a b")]) {
      assertEquals(parseAddress(address), address);
    }
  });
});

describe("addresses that are not", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["", /empty/],
    ["heartwire://example.org:65536", /not a port/],
    ["heartwire://example.org:-1", /not a port/],
    ["heartwire://example.org:", /not a port/],
    ["heartwire://example.org:1e3", /not a port/],
    ["example.org: 80", /not a port/],
    ["99999", /not a port/],
    ["heartwire://user@example.org", /more than a host/],
    ["heartwire://example.org/path", /more than a host/],
    ["heartwire://example.org?x=1", /more than a host/],
    ["heartwire://exa mple", /not a host/],
    ["heartwire://256.1.1.1:80", /IPv4/],
    ["1.2.3", /IPv4/],
    ["[::1", /not a host/],
    ["[1.2.3.4]:80", /IPv6/],
    ["1:2:3", /not a host/],
    ["[1::2::3]:5", /IPv6/],
    ["[12345::]:5", /IPv6/],
    ["[1:2:3:4:5:6:7:8:9]", /IPv6/],
    ["[::1]9000", /not a host/],
    ["http://example.org", /scheme "http"/],
    ["heartwire+unix://run/x", /not absolute/],
    ["heartwire+unix:///", /missing/],
    ["heartwire+unix:///a%zz", /escape/],
    ["/tmp/a\0b", /zero byte/],
    [`/tmp/${"x".repeat(103)}`, /longer than 107/],
    [`/tmp/${"é".repeat(52)}`, /longer than 107/],
  ];
  for (const [text, what] of wrong) {
    test(JSON.stringify(text).slice(0, 40), () => {
      const error = assertThrows(() => parseAddress(text), HeartwireError);
      assertEquals(error.code, "ERR_HEARTWIRE_ADDRESS");
      assertMatch(error.message, what);
      assertEquals(error.hint === "", false, "says what to write instead");
    });
  }

  test("TLS is told apart from a mistake", () => {
    const error = assertThrows(() => parseAddress("heartwires://example.org"), HeartwireError);
    assertEquals(error.code, "ERR_HEARTWIRE_TLS_UNSUPPORTED");
  });

  test("what is nothing of the kind", () => {
    const odd = [{ kind: "tcp" }, { kind: "tcp", host: "x", port: -1 }, { kind: "unix" }, unixAddress("")];
    for (const value of [undefined, null, {}, 7433, ...odd]) {
      const error = assertThrows(() => parseAddress(value as unknown as string), HeartwireError);
      assertEquals(error.code, "ERR_HEARTWIRE_ADDRESS");
      assertEquals(error.hint === "", false, "says what to write instead");
    }
  });

  test("a path of 107 bytes still is", () => {
    assertEquals(parseAddress(`/tmp/${"x".repeat(102)}`).kind, "unix");
  });
});

describe("the network of a host", () => {
  const same: readonly (readonly string[])[] = [
    ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"],
    ["192.0.2.2", "::ffff:192.0.2.2"],
    [
      "2001:db8::1",
      "2001:DB8::ffff:ffff:ffff:ffff",
      "2001:0db8:0:0:1:2:3:4",
      "2001:db8:0:0::",
      "2001:db8::192.0.2.1",
    ],
    ["2001:db8:0:1::1", "2001:db8:0:1:8000::"],
    ["fe80::1%eth0", "fe80::2"],
    ["::1", "::2"],
    ["name.example"],
    [""],
  ];
  for (const hosts of same) {
    test(hosts.join(", "), () => assertEquals(new Set(hosts.map(networkOf)).size, 1));
  }

  test("differs between these", () => {
    assertEquals(new Set(same.map(([host]) => networkOf(host!))).size, same.length);
  });
});
