import { expect, test } from "vitest";

import { closeStep, moment, moved, panned, showing, step, ticks, whole, x, zoomed, type View } from "../src/timeline/scale";

const window = { from: 1_000_000, to: 1_600_000 };
const length = (view: View): number => view.to - view.from;

test("all of the window is shown until it is zoomed, also when it grows", () => {
  const view = whole(window);
  const grown = { from: window.from, to: window.to + 60_000 };
  expect(moved(view, grown)).toEqual(whole(grown));
});

test("zooming keeps the moment under the pointer where it is", () => {
  const at = 1_200_000;
  const before = whole(window);
  const after = zoomed(before, 0.5, at, window);
  expect(x(after, at, 1000)).toBeCloseTo(x(before, at, 1000), 3);
  expect(length(after)).toBeCloseTo(length(before) / 2, 3);
});

test("zooming ends at a few seconds, and at all of the window", () => {
  let view = whole(window);
  for (let i = 0; i < 50; i += 1) view = zoomed(view, 0.5, 1_300_000, window);
  expect(length(view)).toBe(4000);
  for (let i = 0; i < 50; i += 1) view = zoomed(view, 2, 1_300_000, window);
  expect(view).toEqual(whole(window));
});

test("a view at the live edge follows it, and one elsewhere stays", () => {
  const later = { from: window.from, to: window.to + 10_000 };
  const atEdge = zoomed(whole(window), 0.1, window.to, window);
  expect(atEdge.follows).toBe(true);
  expect(moved(atEdge, later).to - atEdge.to).toBeGreaterThan(9_000);
  const elsewhere = panned(atEdge, -100_000, window);
  expect(elsewhere.follows).toBe(false);
  expect(moved(elsewhere, later)).toEqual(elsewhere);
});

test("what the window slides past is not shown any more", () => {
  const oldest = panned(zoomed(whole(window), 0.1, window.from, window), -1e9, window);
  const slid = { from: window.from + 300_000, to: window.to + 300_000 };
  const view = moved(oldest, slid);
  expect(view.from).toBe(slid.from);
  expect(length(view)).toBeCloseTo(length(oldest), 3);
});

test("a moment that is gone to comes into view", () => {
  const view = panned(zoomed(whole(window), 0.1, window.to, window), -100_000, window);
  const shown = showing(view, window.from + 5000, window);
  expect(shown.from).toBeLessThanOrEqual(window.from + 5000);
  expect(shown.to).toBeGreaterThan(window.from + 5000);
  expect(showing(view, view.from + 1, window)).toBe(view);
});

test("places and moments are each other's inverse", () => {
  const view = whole(window);
  for (const at of [0, 17.5, 400, 999]) expect(x(view, moment(view, at, 1000), 1000)).toBeCloseTo(at, 6);
});

test("marks stand at round moments with room between them", () => {
  for (const width of [300, 1000, 3000]) {
    const view = whole(window);
    const every = step(view, width, 80);
    const at = ticks(view, every);
    expect(at.length).toBeGreaterThan(1);
    expect(at.length).toBeLessThanOrEqual(width / 80 + 1);
    for (const tick of at) expect(tick % every).toBe(0);
  }
});

test("thumbnails stand close, and at the same moments while the window grows a little", () => {
  for (let length = 5000; length < 1e8; length *= 1.37) {
    const every = closeStep({ from: 0, to: length }, 900, 60);
    const wide = (every / length) * 900;
    expect(wide).toBeGreaterThanOrEqual(60 - 1e-6);
    if (length > 20_000) expect(wide).toBeLessThanOrEqual(60 * 1.26);
  }
  const at = (length: number): number => closeStep({ from: 0, to: length }, 900, 60);
  expect(at(100_000)).toBe(at(101_000));
});
