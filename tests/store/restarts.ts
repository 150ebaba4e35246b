/**
 * A server with a store in a file, as a process of its own, for tests to kill: `restarts.ts PORT FILE` says the port that it listens on.
 *
 * @module
 */

import process from "node:process";
import { listen } from "../support/contract.ts";
import { FileStore } from "./file_store.ts";

const [port, file] = process.argv.slice(2);
const store = new FileStore(file!);
const server = await listen(`127.0.0.1:${port}`, (session) => {
  return session.onMessage((message) => void session.send(`${process.pid} ${message.text()}`));
}, { store });
console.log(JSON.stringify({ type: "listening", port: (server.address as { port: number }).port }));
