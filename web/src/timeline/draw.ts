/** The timeline as it is painted: runs with their bitrate, thumbnails, replays, marks, and where one is. */

import { clock } from "../format";
import type { Stretch } from "../protocol";
import type { Span } from "../store";
import type { Film } from "./film";
import { closeStep, step, ticks, x, type View } from "./scale";

export interface Marks {
  from: number | null;
  to: number | null;
}

export interface Scene {
  channel: string;
  view: View;
  window: Span;
  segments: Stretch[];
  replays: (Span & { isOpen: boolean })[];
  marks: Marks;
  /** When what is shown was recorded. */
  position: number | null;
  isLive: boolean;
  film: Film;
}

export interface Colors {
  text: string;
  faint: string;
  track: string;
  run: string;
  rate: string;
  mark: string;
  live: string;
  head: string;
  replay: string;
}

export function colors(element: Element): Colors {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: color("text"),
    faint: color("faint"),
    track: color("track"),
    run: color("run"),
    rate: color("rate"),
    mark: color("mark"),
    live: color("live"),
    head: color("head"),
    replay: color("accent"),
  };
}

/** Heights in shares of a unit, which grows with the text. */
const RULER = 1.5;
const REPLAYS = 0.75;
/** Segments of a run that are further apart than this have something missing between them. */
const GAP_MS = 400;

export function draw(context: CanvasRenderingContext2D, size: { width: number; height: number; unit: number }, scene: Scene, colors: Colors): void {
  const { width, height, unit } = size;
  const ruler = unit * RULER;
  const lane = unit * REPLAYS;
  const body = { top: ruler, height: height - ruler - lane };
  context.clearRect(0, 0, width, height);
  context.font = `${Math.round(unit * 0.78)}px ${getComputedStyle(context.canvas).fontFamily}`;
  track(context, width, body, colors);
  runs(context, width, body, scene, colors);
  film(context, width, body, scene);
  ruled(context, width, ruler, scene, colors);
  replays(context, width, body.top + body.height + lane * 0.3, lane * 0.55, scene, colors);
  marks(context, width, body, unit, scene, colors);
  head(context, width, height, unit, scene, colors);
}

interface Band {
  top: number;
  height: number;
}

type Context = CanvasRenderingContext2D;

function track(context: Context, width: number, { top, height }: Band, colors: Colors): void {
  context.fillStyle = colors.track;
  context.beginPath();
  context.roundRect(0, top, width, height, 6);
  context.fill();
}

/** Stretches without a gap, in time of the clock; what is newer than the last segment belongs to its run. */
export function stretches(segments: Stretch[], window: Span): (Span & { segments: Stretch[] })[] {
  const found: (Span & { run: number; segments: Stretch[] })[] = [];
  for (const segment of segments) {
    const from = Date.parse(segment.start);
    const to = from + segment.duration_s * 1000;
    const last = found.at(-1);
    if (last && last.run === segment.run && from - last.to < GAP_MS) {
      last.to = to;
      last.segments.push(segment);
    } else {
      found.push({ from, to, run: segment.run, segments: [segment] });
    }
  }
  const [first, last] = [found[0], found.at(-1)];
  // The ends of the window are no whole segments yet, or any more.
  if (last && window.to - last.to < 12_000) last.to = Math.max(last.to, window.to);
  if (first && first.from - window.from < 12_000) first.from = Math.min(first.from, window.from);
  if (!first) found.push({ ...window, run: 0, segments: [] });
  return found;
}

function runs(context: Context, width: number, { top, height }: Band, scene: Scene, colors: Colors): void {
  const { view, segments, window } = scene;
  const rate = ({ bytes, duration_s }: Stretch): number => bytes / Math.max(0.05, duration_s);
  const highest = Math.max(1, ...segments.map(rate));
  for (const run of stretches(segments, window)) {
    const [left, right] = [x(view, run.from, width), x(view, run.to, width)];
    if (right < 0 || left > width) continue;
    context.save();
    context.beginPath();
    context.roundRect(left, top, Math.max(2, right - left), height, 6);
    context.clip();
    context.fillStyle = colors.run;
    context.fillRect(left, top, right - left, height);
    context.fillStyle = colors.rate;
    for (const segment of run.segments) {
      const from = x(view, Date.parse(segment.start), width);
      const to = x(view, Date.parse(segment.start) + segment.duration_s * 1000, width);
      const high = (rate(segment) / highest) * height * 0.42;
      if (to >= 0 && from <= width) context.fillRect(from, top + height - high, Math.max(1, to - from - (to - from > 6 ? 1 : 0)), high);
    }
    context.restore();
  }
}

function film(context: Context, width: number, { top, height }: Band, scene: Scene): void {
  const { view, film, channel, window } = scene;
  const tall = height * 0.62;
  const every = closeStep(view, width, tall * (16 / 9) + 2);
  const shown = (every / (view.to - view.from)) * width;
  film.begin(every);
  for (const moment of ticks({ from: view.from - every, to: view.to }, every)) {
    if (moment > window.to - 1000 || moment < window.from + 1000) continue;
    const picture = film.picture(channel, moment);
    if (!picture) continue;
    const wide = Math.min(shown - 2, tall * (picture.width / picture.height));
    context.drawImage(picture, x(view, moment, width) + 1, top + 2, wide, tall);
  }
  film.load();
}

function ruled(context: Context, width: number, height: number, { view }: Scene, colors: Colors): void {
  const every = step(view, width, height * 4);
  context.fillStyle = colors.faint;
  context.textBaseline = "middle";
  for (const moment of ticks(view, every)) {
    const at = x(view, moment, width);
    context.fillRect(Math.round(at), height * 0.72, 1, height * 0.28);
    const label = clock(moment, every < 1000);
    const wide = context.measureText(label).width;
    if (at - wide / 2 > 0 && at + wide / 2 < width) {
      context.fillText(label, at - wide / 2, height * 0.38);
    }
  }
}

function replays(context: Context, width: number, top: number, height: number, { view, replays }: Scene, colors: Colors): void {
  for (const replay of replays) {
    const [left, right] = [x(view, replay.from, width), x(view, replay.to, width)];
    if (right < 0 || left > width) continue;
    context.globalAlpha = replay.isOpen ? 1 : 0.65;
    context.fillStyle = colors.replay;
    context.beginPath();
    context.roundRect(left, top, Math.max(3, right - left), height, height / 2);
    context.fill();
  }
  context.globalAlpha = 1;
}

function marks(context: Context, width: number, { top, height }: Band, unit: number, scene: Scene, colors: Colors): void {
  const { view, window } = scene;
  const { from, to } = scene.marks;
  if (from === null && to === null) return;
  const left = x(view, from ?? window.from, width);
  const right = x(view, to ?? window.to, width);
  context.fillStyle = colors.mark;
  if (from !== null) {
    context.globalAlpha = 0.28;
    context.fillRect(left, top, right - left, height);
    context.globalAlpha = 1;
  }
  const thick = Math.max(2, unit * 0.16);
  for (const [at, way] of [[from, 1], [to, -1]] as const) {
    if (at === null) continue;
    const edge = x(view, at, width);
    context.fillRect(edge - thick / 2, top, thick, height);
    context.fillRect(way > 0 ? edge : edge - unit * 0.5, top, unit * 0.5, thick);
    context.fillRect(way > 0 ? edge : edge - unit * 0.5, top + height - thick, unit * 0.5, thick);
  }
}

function head(context: Context, width: number, height: number, unit: number, scene: Scene, colors: Colors): void {
  const { view, window, position, isLive } = scene;
  const edge = x(view, window.to, width);
  context.fillStyle = colors.live;
  context.fillRect(edge - 1, unit * RULER * 0.7, 2, height - unit * RULER * 0.7);
  if (position === null) return;
  const at = x(view, position, width);
  context.fillStyle = isLive ? colors.live : colors.head;
  const half = unit * 0.42;
  const top = unit * RULER * 0.55;
  context.fillRect(at - 1, top, 2, height - top);
  context.beginPath();
  context.moveTo(at - half, top);
  context.lineTo(at + half, top);
  context.lineTo(at + half, top + half);
  context.lineTo(at, top + half * 2);
  context.lineTo(at - half, top + half);
  context.fill();
}
