/**
 * What of an MP4 is shown: its edit list (ISO 14496-12, 8.6.6).
 *
 * The file of a replay begins with the keyframe before the first picture that is to be seen, and that of a reel has such a
 * beginning in front of each of its pieces. Firefox heeds one entry of the list, shows what lies before it all the same, as
 * the beginning, and goes nowhere beyond its length. So the page plays the file without the list there, and keeps to it itself.
 */

import { newest } from "../newest";

/** A stretch that is shown: when, and where the video element has it. */
interface Edit {
  at: number;
  place: number;
  length: number;
}

/** Rounding to microseconds is no difference. */
const SAME_S = 0.001;

export class Edits {
  constructor(private readonly list: readonly [Edit, ...Edit[]]) {}

  get duration(): number {
    return Math.max(...this.list.map(({ at, length }) => at + length));
  }

  /** Where the element has what is shown at a time. */
  placeOf(time: number): number {
    const edit = newest(this.list, ({ at }) => at <= time) ?? this.list[0];
    return edit.place + Math.max(0, time - edit.at);
  }

  /** When it is that the element shows what it has at a place. */
  timeOf(place: number): number {
    const edit = newest(this.list, (edit) => edit.place <= place + SAME_S) ?? this.list[0];
    return edit.at + Math.min(edit.length, Math.max(0, place - edit.place));
  }

  /** The place itself where it is to be seen; else the next one that is, or the one before. */
  near(place: number, isBack = false, picture = 0): number {
    const next = this.list.findIndex((edit) => place + SAME_S < edit.place + edit.length);
    const edit = this.list[next];
    if (!edit || place + SAME_S >= edit.place) return place;
    const before = isBack ? this.list[next - 1] : undefined;
    return before ? before.place + before.length - picture / 2 : edit.place;
  }
}

/** Those of a file; null where all of it is shown. */
export async function editsOf(url: string): Promise<Edits | null> {
  const answer = await fetch(url);
  const reader = answer.ok ? answer.body?.getReader() : undefined;
  if (!reader) return null;
  let bytes = new Uint8Array();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return null;
    const more = new Uint8Array(bytes.length + value.length);
    more.set(bytes);
    more.set(value, bytes.length);
    bytes = more;
    const movie = boxes(new DataView(bytes.buffer)).find(({ type }) => type === "moov");
    if (!movie || movie.isCut) continue;
    void reader.cancel();
    return parse(movie);
  }
}

interface Box {
  type: string;
  data: DataView;
  /** Whether there is less of it than it says. */
  isCut: boolean;
}

function boxes({ buffer, byteOffset, byteLength }: DataView): Box[] {
  const view = new DataView(buffer, byteOffset, byteLength);
  const found: Box[] = [];
  for (let at = 0; at + 8 <= byteLength; ) {
    const size = view.getUint32(at);
    if (size < 8) break;
    const type = String.fromCharCode(...new Uint8Array(buffer, byteOffset + at + 4, 4));
    const length = Math.min(size, byteLength - at) - 8;
    found.push({ type, data: new DataView(buffer, byteOffset + at + 8, length), isCut: at + size > byteLength });
    at += size;
  }
  return found;
}

/** The box that a path leads to. */
function within(box: Box, ...path: string[]): DataView | null {
  const [type, ...rest] = path;
  if (type === undefined) return box.data;
  const inner = boxes(box.data).find((inner) => inner.type === type);
  return inner ? within(inner, ...rest) : null;
}

interface Track {
  isVideo: boolean;
  /** In seconds, and from where in the track: `null` is nothing. */
  entries: { length: number; from: number | null }[];
}

function parse(movie: Box): Edits | null {
  const header = within(movie, "mvhd");
  if (!header) return null;
  const tracks = boxes(movie.data)
    .filter(({ type }) => type === "trak")
    .map((box) => track(box, scale(header)));
  const video = tracks.find(({ isVideo }) => isVideo);
  const start = video ? startOf(video) : null;
  if (!video || start === null) return null;
  // Firefox has what comes first of all at its beginning.
  const first = Math.min(...tracks.map((track) => startOf(track) ?? 0));
  let at = 0;
  const list: Edit[] = [];
  for (const { length, from } of video.entries) {
    if (from !== null) list.push({ at, place: from + start - first, length });
    at += length;
  }
  const [head, ...others] = list;
  const isAll = others.length === 0 && head?.place === head?.at;
  return head && !isAll ? new Edits([head, ...others]) : null;
}

/** When the first sample of a track would be shown by the first entry alone. */
function startOf({ entries }: Track): number | null {
  const first = entries.findIndex(({ from }) => from !== null);
  const entry = entries[first];
  if (!entry) return null;
  const nothing = entries.slice(0, first).reduce((sum, { length }) => sum + length, 0);
  return nothing - (entry.from ?? 0);
}

function track(box: Box, movieScale: number): Track {
  const [handler, header, list] = [within(box, "mdia", "hdlr"), within(box, "mdia", "mdhd"), within(box, "edts", "elst")];
  const isVideo = handler?.getUint32(8) === 0x76_69_64_65;
  const entries: Track["entries"] = [];
  if (!header || !list) return { isVideo, entries };
  const isLong = list.getUint8(0) === 1;
  for (let index = 0; index < list.getUint32(4); index += 1) {
    const at = 8 + index * (isLong ? 20 : 12);
    const length = isLong ? Number(list.getBigUint64(at)) : list.getUint32(at);
    const from = isLong ? Number(list.getBigInt64(at + 8)) : list.getInt32(at + 4);
    entries.push({ length: length / movieScale, from: from < 0 ? null : from / scale(header) });
  }
  return { isVideo, entries };
}

/** Of the header of a movie or a track: how much a second is. */
function scale(header: DataView): number {
  return header.getUint32(header.getUint8(0) === 1 ? 20 : 12);
}
