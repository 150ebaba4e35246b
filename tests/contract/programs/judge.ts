/**
 * A process that stands still now and then and holds many sessions: it judges its peer, which lives all the time in another process.
 *
 * Is told by lines of stdin: `dial URL N` sessions, `block MS` in a busy loop. Tells, a line of JSON each: `live`, `stalled` and `ended`
 * of each session by its number, and `blocked`.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { connect } from "../../support/contract.ts";

/** The peer is dead after 300 ms of silence; we are dead to it after 10 s. */
const BEAT = { heartbeat: { interval: 100, multiplier: 100, minimumInterval: 100 } };

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function judge(url: string, session: number): Promise<void> {
  const connection = await connect(url, BEAT);
  for await (const status of connection.status()) {
    switch (status.state) {
      case "live":
        tell({ type: "live", session, detection: status.agreement.rxDetection });
        break;
      case "stalled":
        tell({ type: "stalled", session, verdict: status.verdict, span: status.span, during: status.during });
        break;
      case "closed":
        tell({ type: "ended", session, reason: status.reason });
    }
  }
}

/** Takes the only thread for so long. */
function block(time: number): void {
  const end = performance.now() + time;
  while (performance.now() < end);
  tell({ type: "blocked" });
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const [what, first, second] = line.split(" ");
  if (what === "dial") { for (let i = 0; i < Number(second); i++) void judge(first!, i); }
  else if (what === "block") block(Number(first));
});
input.on("close", () => process.exit());
