import { afterEach, expect, test, vi } from "vitest";

import { type Edits, editsOf } from "../src/live/edits";

const u32 = (...values: number[]): number[] => values.flatMap((value) => [24, 16, 8, 0].map((by) => (value >>> by) & 255));
const box = (type: string, ...inside: number[][]): number[] => {
  const data = inside.flat();
  return [...u32(data.length + 8), ...[...type].map((letter) => letter.charCodeAt(0)), ...data];
};
const scale = (type: string, value: number): number[] => box(type, u32(0, 0, 0, value, 0, 0));
const list = (entries: [number, number][]): number[] =>
  box("edts", box("elst", u32(0, entries.length), ...entries.map(([length, from]) => u32(length, from, 1 << 16))));
const track = (kind: string, perSecond: number, ...edits: number[][]): number[] => {
  const name = [...kind].map((letter) => letter.charCodeAt(0));
  return box("trak", ...edits, box("mdia", scale("mdhd", perSecond), box("hdlr", u32(0, 0), name)));
};

afterEach(() => vi.unstubAllGlobals());

/** A file that arrives in small pieces, and of which no more is read than has to be. */
async function edits(...tracks: number[][]): Promise<Edits | null> {
  const movie = box("moov", scale("mvhd", 1000), ...tracks);
  const bytes = Uint8Array.from([...box("ftyp", u32(1)), ...movie, ...u32(100_000_000), ...u32(0)]);
  let at = 0;
  const body = new ReadableStream({
    pull: (stream) => {
      if (at >= bytes.length) throw new Error("there is no end of it");
      stream.enqueue(bytes.slice(at, (at += 7)));
    },
  });
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body)));
  return editsOf("/replays/a.mp4");
}

const sound = track("soun", 48_000, list([[4000, 21_600]]));

test("what lies before the first picture that is shown is passed over", async () => {
  const found = (await edits(track("vide", 90_000, list([[4000, 45_000]])), sound))!;
  expect(found.duration).toBe(4);
  expect(found.placeOf(0)).toBe(0.5);
  expect(found.placeOf(3)).toBe(3.5);
  expect(found.timeOf(0.2)).toBe(0);
  expect(found.timeOf(2.5)).toBe(2);
  expect(found.timeOf(9)).toBe(4);
  expect(found.near(0.1)).toBe(0.5);
  expect(found.near(0.1, true)).toBe(0.5);
  expect(found.near(3.2)).toBe(3.2);
});

test("so is what lies between the pieces of a reel, on the way back as well", async () => {
  const pieces = list([[2000, 45_000], [3000, 90_000 * 4]]);
  const found = (await edits(track("vide", 90_000, pieces), sound))!;
  expect(found.duration).toBe(5);
  expect(found.placeOf(1.9)).toBeCloseTo(2.4, 6);
  expect(found.placeOf(2)).toBe(4);
  expect(found.timeOf(3)).toBe(2);
  expect(found.timeOf(5)).toBe(3);
  expect(found.near(2.6)).toBe(4);
  expect(found.near(3.9, true, 0.04)).toBeCloseTo(2.48, 6);
});

test("where sound comes before the pictures, the beginning is its own", async () => {
  const late = list([[100, -1], [3900, 0]]);
  const found = await edits(track("vide", 90_000, late), track("soun", 48_000, list([[4000, 9600]])));
  expect(found!.placeOf(0.1)).toBeCloseTo(0.3, 6);
});

test("a file that is shown from its beginning needs none of this", async () => {
  expect(await edits(track("vide", 90_000), track("soun", 48_000))).toBeNull();
  expect(await edits(track("vide", 90_000, list([[4000, 0]])))).toBeNull();
  expect(await edits(track("soun", 48_000, list([[4000, 0]])))).toBeNull();
});
