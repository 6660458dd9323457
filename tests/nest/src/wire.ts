// How a test drives a server: one JSON object a line, reports out on stdout, orders in on stdin.

import { createInterface } from "node:readline";

export type Report = { event: string; [field: string]: unknown };
export type Order = { do: string; [field: string]: unknown };

export type Settings = {
  port: number;
  pingInterval: number;
  pingTimeout: number;
  /** The server's key and certificate. With it, the server speaks TLS. */
  tls?: { key: string; cert: string };
};

/** What the test wants: the server's settings, from the command line. */
export function settings(): Settings {
  return { port: 0, pingInterval: 25000, pingTimeout: 20000, ...JSON.parse(process.argv[2] ?? "{}") };
}

export function report(report: Report): void {
  process.stdout.write(JSON.stringify({ ...report, at: Math.round(performance.now()) }) + "\n");
}

/** Ends with the test: when stdin closes, nobody reads any more. */
export function obey(orders: (order: Order) => void): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => orders(JSON.parse(line)));
  lines.on("close", () => process.exit(0));
}

/** Bytes that show a loss, a repetition and a swap: a generator of period 2^32, which the board knows too. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = length >>> 0;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** The same as letters. */
export function patternText(length: number): string {
  return String.fromCharCode(...pattern(length).map((byte) => 97 + (byte % 26)));
}

/** What a report says of received bytes: all of them if they are few. */
export function described(bytes: Buffer): object {
  const matches = bytes.equals(pattern(bytes.length));
  return { length: bytes.length, matches, ...(bytes.length <= 64 ? { base64: bytes.toString("base64") } : {}) };
}

export function describedText(text: string): object {
  const matches = text === patternText(text.length);
  return { length: text.length, matches, ...(text.length <= 256 ? { text } : {}) };
}
