/** Which part of the window the timeline shows, and where in it each moment lies. */

import type { Span } from "../store";

const SPAN_MIN_MS = 4000;
/** A little room behind the live edge. */
const MARGIN = 0.02;

export interface View extends Span {
  /** Whether it moves on with the live edge. */
  follows: boolean;
  /** Whether it is all of the window, and grows with it. */
  isWhole: boolean;
}

/** All of it. */
export function whole(window: Span): View {
  const to = edge(window, window.to - window.from);
  return { from: window.from, to, follows: true, isWhole: true };
}

/** What is to be shown when the window has moved on. */
export function moved(view: View, window: Span): View {
  const length = view.to - view.from;
  const all = whole(window);
  if (view.isWhole || length >= all.to - all.from) return all;
  const to = edge(window, length);
  if (view.follows) return { ...view, from: to - length, to };
  return within(view, window);
}

/** Zoomed by a factor around a moment, which stays where it is. */
export function zoomed(view: View, factor: number, around: number, window: Span): View {
  const all = whole(window);
  const length = Math.max(SPAN_MIN_MS, (view.to - view.from) * factor);
  if (length >= all.to - all.from) return all;
  const share = (around - view.from) / (view.to - view.from);
  const from = around - share * length;
  const isAtEdge = from + length >= window.to;
  return within({ from, to: from + length, follows: isAtEdge, isWhole: false }, window);
}

/** Moved by so many milliseconds. */
export function panned(view: View, by: number, window: Span): View {
  const to = view.to + by;
  return within({ ...view, from: view.from + by, to, follows: to >= window.to }, window);
}

/** Moved only where a moment would not be seen. */
export function showing(view: View, moment: number, window: Span): View {
  const length = view.to - view.from;
  if (view.follows || (moment >= view.from && moment <= view.to)) return view;
  return within({ from: moment - length / 10, to: moment + length * 0.9, follows: false, isWhole: false }, window);
}

export function x(view: Span, moment: number, width: number): number {
  return ((moment - view.from) / (view.to - view.from)) * width;
}

export function moment(view: Span, x: number, width: number): number {
  return view.from + (x / width) * (view.to - view.from);
}

const STEPS_MS = [
  200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 21_600_000, 86_400_000,
];

/** The distance of marks that leaves each of them so much room. */
export function step(view: Span, width: number, room: number): number {
  const least = ((view.to - view.from) / Math.max(1, width)) * room;
  return STEPS_MS.find((step) => step >= least) ?? STEPS_MS.at(-1)!;
}

/** The same for what need not be round, only the same again: with less room left between. */
export function closeStep(view: Span, width: number, room: number): number {
  const least = Math.max(500, ((view.to - view.from) / Math.max(1, width)) * room);
  const power = 2 ** Math.floor(Math.log2(least / 500));
  return 500 * (QUARTERS.find((quarter) => 500 * power * quarter >= least)! * power);
}

const QUARTERS = [1, 1.25, 1.5, 1.75, 2];

/** Round moments in the view. */
export function ticks(view: Span, step: number): number[] {
  const first = Math.ceil(view.from / step) * step;
  const count = Math.max(0, Math.floor((view.to - first) / step) + 1);
  return Array.from({ length: count }, (_, index) => first + index * step);
}

/** Where a view of this length ends that follows the live edge. */
function edge(window: Span, length: number): number {
  return window.to + Math.max(200, length * MARGIN);
}

function within(view: View, window: Span): View {
  const length = view.to - view.from;
  const from = Math.max(window.from, Math.min(view.from, edge(window, length) - length));
  return { ...view, from, to: from + length };
}
