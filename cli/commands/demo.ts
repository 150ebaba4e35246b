/**
 * `heartwire demo`: in ten seconds, on one screen, what the library is for.
 *
 * Rules: a terminal that is large enough is drawn anew in place; elsewhere what happens is told line by line. Exit 0 if all that is
 * claimed held, 1 if not.
 *
 * @module
 */

import type { Context, Outcome } from "../command.ts";
import { conclusion, happeningLine, screenLines, tableLines, WIDTH } from "../demo/screen.ts";
import { type Happening, held, type Scene, Stage } from "../demo/stage.ts";
import { EXIT } from "../exit.ts";
import { runtimeText, version } from "../runtime.ts";
import * as text from "../text.ts";

/** Drawn anew so often, ms. */
const FRAME = 100;
/** Lines of the screen. */
const ROWS = 18;

/** Runs the command. */
export async function demo({ adapter, output, stop }: Context): Promise<Outcome> {
  const happened: Happening[] = [];
  const drawn = output.drawable(WIDTH, ROWS + 8);
  output.note(`heartwire ${version()} on ${runtimeText()}: a link is cut, and nobody is told`);
  const stage = new Stage(adapter, stop.signal, (happening) => {
    happened.push(happening);
    output.record("event", happeningRecord(happening));
    if (!drawn) output.line(happeningLine(happening));
  });
  const draw = (scene: Scene): void => {
    if (drawn) output.redraw(screenLines(scene, happened, ROWS));
  };
  const timer = setInterval(() => happened.length > 0 && draw(stage.scene), FRAME);
  let scene: Scene;
  try {
    scene = await stage.run();
  } finally {
    clearInterval(timer);
  }
  draw(scene);
  const { at: elapsed, ...figures } = scene;
  const well = held(scene);
  const report = [...(drawn ? [] : ["", ...tableLines(scene)]), "", ...conclusion(scene)];
  return {
    exit: well ? EXIT.ok : EXIT.loss,
    summary: { ...figures, elapsed, held: well, version: version(), runtime: runtimeText() },
    report: stop.signal.aborted ? [] : report,
  };
}

/** What happened, for a program. Times in ms. */
function happeningRecord(happening: Happening): Record<string, unknown> {
  switch (happening.what) {
    case "suspect": {
      const { evidence, ...rest } = happening;
      return { ...rest, ...text.evidenceRecord(evidence) };
    }
    case "ended": {
      const { reason, ...rest } = happening;
      return { ...rest, ...text.reasonRecord(reason) };
    }
    default:
      return { ...happening };
  }
}
