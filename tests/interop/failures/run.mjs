// Provokes each failure of docs/peers.md on the newest version of its peer, some at a time.
//
//   node run.mjs <folder with the newest versions> [failure ..]
//
// Writes one line of JSON for each: the failure, the peer, its version, the outcome and what was seen.
import { endProcesses, version } from "./tools.mjs";

const AT_ONCE = 6;
const LIMIT = 120_000;

const files = ["engineio", "engineioxide", "clients", "python", "socketio"];
const cannot = (saw) => async () => ({ outcome: "cannot be installed", saw });
const arduino = cannot("a library for Arduino, which is in none of these registries");
const others = ["B23", "B24", "B25"].map((failure) => [failure, "arduinoWebSockets", arduino]);
const wanted = process.argv.slice(3);
const probes = (await Promise.all(files.map((file) => import(`./${file}.mjs`)))).flatMap((module) => module.probes).concat(others);
const left = probes.filter(([failure]) => !wanted.length || wanted.includes(failure));

const run = async ([failure, peer, probe]) => {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, LIMIT, new Error(`takes more than ${LIMIT / 1000} s`))));
  const result = await Promise.race([probe(), late]).catch((error) => ({ outcome: "not run", saw: error.message }));
  clearTimeout(timer);
  console.log(JSON.stringify({ failure, peer, version: version(peer), ...result }));
};

const worker = async () => {
  while (left.length) await run(left.shift());
};
await Promise.all(Array.from({ length: AT_ONCE }, worker));
endProcesses();
process.exit(0);
