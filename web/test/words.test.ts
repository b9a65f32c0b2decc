import { expect, test } from "vitest";

import { bytes, colons, length, place, speed } from "../src/format";
import type { Replay } from "../src/protocol";
import { stretches } from "../src/timeline/draw";
import { matching } from "../src/ui/replays";

test("lengths and places are what people write", () => {
  expect([0, 7.42, 59.94, 65, 3723].map(length)).toEqual(["0.0 s", "7.4 s", "59.9 s", "1:05", "1:02:03"]);
  expect([0, 59.999, 61].map(colons)).toEqual(["0:00", "0:59", "1:01"]);
  expect([0, 1.005, 59.999, 3600.5].map(place)).toEqual(["0:00.00", "0:01.00", "1:00.00", "1:00:00.50"]);
  expect(length(-3)).toBe("0.0 s");
});

test("sizes round into the next unit", () => {
  expect([0, 999, 1000, 999_600, 45_191_872, 5e12].map(bytes)).toEqual(["0 bytes", "999 bytes", "1.0 kB", "1.0 MB", "45.2 MB", "5.0 TB"]);
});

test("slow motion is told in percent", () => {
  expect([0.1, 0.25, 1, 4, -1].map(speed)).toEqual(["10 %", "25 %", "1×", "4×", "−1×"]);
});

test("a replay is found by all words of its name and tags", () => {
  const replay = (name: string, ...tags: string[]): Replay => ({ name, tags }) as unknown as Replay;
  const all = [replay("First goal", "Home"), replay("Second goal"), replay("Foul", "home")];
  const names = (search: string): string[] => matching(all, search).map(({ name }) => name);
  expect(names("")).toHaveLength(3);
  expect(names("GOAL")).toEqual(["First goal", "Second goal"]);
  expect(names("home goal")).toEqual(["First goal"]);
  expect(names("red card")).toEqual([]);
});

test("a run is whole where its segments follow each other, and ends where the next begins", () => {
  const at = (seconds: number): string => new Date(1_000_000 + seconds * 1000).toISOString();
  const segment = (number: number, run: number, start: number) => ({ number, run, start: at(start), duration_s: 2, bytes: 1 });
  const window = { from: 1_000_000, to: 1_031_000 };
  const runs = stretches([segment(0, 0, 1), segment(1, 0, 3), segment(2, 1, 25), segment(3, 1, 27)], window);
  expect(runs.map(({ from, to }) => [from - window.from, to - window.from])).toEqual([
    [0, 5000],
    [25_000, 31_000],
  ]);
  expect(stretches([], window)).toHaveLength(1);
});
