/** The keyboard: what each key does, wherever no text is being written. */

import type { App } from "./app";
import { LAST } from "./ui/marks";
import { fullscreen, timelineElement, toLive } from "./ui/stage";

type Run = (app: App) => void;

const toEnd: Run = (app) => (app.viewing === null ? toLive(app) : app.clip?.seek(Infinity));
const toStart: Run = (app) => {
  const window = app.window();
  if (app.viewing !== null) app.clip?.seek(0);
  else if (window) app.live?.seek(window.from + 1000);
};

/** In a replay, I and O trim it. */
const mark = (which: "from" | "to"): Run => (app) => {
  const { replay, clip } = app;
  if (!replay || !clip) return app.mark(which);
  if (!app.mayChange || replay.locked) return;
  const at = replay.in_s + clip.time;
  void app.edit(replay.id, which === "from" ? { in_s: at } : { out_s: at });
};

const KEYS: Record<string, Run> = {
  " ": (app) => app.picture?.toggle(),
  k: (app) => app.picture?.toggle(),
  j: (app) => app.picture?.by(-10),
  l: (app) => app.picture?.by(10),
  arrowleft: (app) => app.picture?.by(-1),
  arrowright: (app) => app.picture?.by(1),
  ",": (app) => app.picture?.step(-1),
  ".": (app) => app.picture?.step(1),
  "<": (app) => app.picture?.shift(-1),
  ">": (app) => app.picture?.shift(1),
  i: mark("from"),
  o: mark("to"),
  x: (app) => app.clearMarks(),
  s: (app) => app.mayChange && app.viewing === null && void app.save(),
  p: (app) => app.putOnAir(),
  r: (app) => void app.instantReplay(),
  home: toStart,
  end: toEnd,
  "+": () => timelineElement()?.zoom("in"),
  "=": () => timelineElement()?.zoom("in"),
  "-": () => timelineElement()?.zoom("out"),
  "0": () => timelineElement()?.zoom("whole"),
  m: (app) => app.setSound(!app.isMuted),
  f: (app) => fullscreen(app),
  escape: toLive,
  "?": (app) => app.show({ kind: "help" }),
  ...Object.fromEntries(
    LAST.map((seconds, index) => [String(index + 1), (app: App) => app.mayChange && void app.save(seconds)]),
  ),
};

export function onKey(app: App, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || app.dialog) return;
  const target = event.target instanceof Element ? event.target : null;
  const isText = target?.matches("input:not([type=range]), select, textarea");
  if (isText) {
    if (event.key === "Escape") (target as HTMLElement).blur();
    return;
  }
  // A button is pressed with the space bar, and a slider is moved with the arrows.
  const isOfButton = target?.matches("button, a, summary") && (event.key === " " || event.key === "Enter");
  const isOfSlider = target?.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(event.key);
  const run = KEYS[event.key.toLowerCase()];
  if (!run || isOfButton || isOfSlider) return;
  event.preventDefault();
  run(app);
  app.changed();
}
