// Provokes each failure of docs/peers.md on the newest version of its peer, on an older one if the newest has mended it, and in
// the same way on eio, some at a time.
//
//   node run.mjs <folder with the newest versions> <eio's program, `probed`> [failure ..]
//
// Writes one line of JSON for each: the failure, the peer, its version, who was tried, the outcome and what was seen.
import { OLDER, PEERS, against, endProcesses, version } from "./tools.mjs";

const AT_ONCE = 6;
const LIMIT = 120_000;

// What an outcome at a peer is called at eio.
const OF_EIO = { "still so": "seen", mended: "not seen" };

const files = ["engineio", "engineioxide", "clients", "python", "socketio"];
const arduino = async () => ({ outcome: "cannot be installed", saw: "a library for Arduino, which is in none of these registries" });
const noProbe = "nothing provokes it without the peer's program";
const others = against("arduinoWebSockets", undefined, noProbe, { B23: arduino, B24: arduino, B25: arduino });
const wanted = process.argv.slice(4);
const probes = (await Promise.all(files.map((file) => import(`./${file}.mjs`)))).flatMap((module) => module.probes).concat(others);
const left = probes
  .filter(({ failure }) => !wanted.length || wanted.includes(failure))
  .flatMap(({ eio, older, start, ...probe }) => [
    { ...probe, who: "peer", start },
    ...(older ? [{ ...probe, who: "older", start: older }] : []),
    { ...probe, who: "eio", start: eio },
  ]);

const run = async ({ failure, peer, who, start, probe }) => {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, LIMIT, new Error(`takes more than ${LIMIT / 1000} s`))));
  const tried = typeof start === "string" ? Promise.resolve({ outcome: "not tried", saw: start }) : probe(start);
  const result = await Promise.race([tried, late]).catch((error) => ({ outcome: "not run", saw: error.message }));
  clearTimeout(timer);
  // The page is the same on every machine.
  result.saw = result.saw.replaceAll(`${PEERS}/`, "");
  if (who === "eio") result.outcome = OF_EIO[result.outcome] ?? result.outcome;
  const names = { peer, older: `older ${peer}`, eio: "eio" };
  console.error(`[peers-table] ${failure} ${names[who]}: ${result.outcome}: ${result.saw}`);
  console.log(JSON.stringify({ failure, peer, version: version(peer, who === "older" ? OLDER : PEERS), who, ...result }));
};

const worker = async () => {
  while (left.length) await run(left.shift());
};
await Promise.all(Array.from({ length: AT_ONCE }, worker));
endProcesses();
process.exit(0);
