/**
 * What the server says: the messages of `/api/v1/events`, and the answers of the API that the page reads.
 *
 * `docs/reference/events.json` has an example of each message. The server's tests hold what it sends against them, and
 * the tests here hold these shapes against them, so that neither side moves alone.
 */

import {
  anything,
  entries,
  flag,
  list,
  number,
  object,
  optional,
  orNull,
  text,
  word,
  ShapeError,
  type Of,
  type Shape,
} from "./shape";

const memory = object({ limit_bytes: number, used_bytes: number, held_bytes: number, index_bytes: number });

const channel = object({
  name: text,
  state: word("waiting", "recording", "silent", "paused"),
  source: orNull(text),
  runs: number,
  received_bytes: number,
  discarded_bytes: number,
  problems: list(object({ code: text, count: number, hint: text })),
  window: orNull(object({ start: text, end: text, duration_s: number, bytes: number })),
  video: orNull(object({ codec: text, width: number, height: number, fps: orNull(number) })),
  audio: list(object({ codec: text, channels: number, sample_rate: number })),
});

const deck = object({
  name: text,
  state: word("idle", "paused", "playing"),
  position_s: number,
  duration_s: number,
  speed: number,
  item: number,
  items: number,
  live: flag,
});

const angle = object({
  channel: text,
  url: orNull(text),
  start: text,
  end: text,
  duration_s: number,
  bytes: orNull(number),
});

const replay = object({
  id: text,
  url: orNull(text),
  name: text,
  tags: list(text),
  locked: flag,
  growing: flag,
  speed: number,
  in_s: number,
  out_s: number,
  length_s: number,
  poster_s: number,
  created: text,
  channel: text,
  start: text,
  end: text,
  duration_s: number,
  bytes: orNull(number),
  angles: list(angle),
});

const job = object({
  id: text,
  source: text,
  created: text,
  state: word("queued", "running", "done", "failed", "cancelled"),
  /** Null of what is written as it was recorded. */
  preset: orNull(text),
  progress: orNull(object({ percent: orNull(number), left_s: orNull(number) })),
  result: orNull(
    object({ url: optional(text), library: optional(text), bytes: number, dropped: optional(flag) }),
  ),
  error: orNull(object({ code: text, detail: text })),
});

const obs = object({
  state: word("off", "connecting", "connected", "refused"),
  version: orNull(text),
  recording: flag,
  streaming: flag,
  scene: orNull(text),
  problems: list(object({ code: text, count: number, hint: text })),
});

const status = { version: text, memory, channels: list(channel) };

const messages = {
  snapshot: object({
    type: word("snapshot"),
    ...status,
    decks: list(deck),
    obs,
    replays: list(replay),
    jobs: list(job),
  }),
  status: object({ type: word("status"), ...status }),
  deck: (value: unknown, at: string) => ({ type: "deck" as const, deck: deck(value, at) }),
  obs: (value: unknown, at: string) => ({ type: "obs" as const, obs: obs(value, at) }),
  ended: object({ type: word("ended"), deck: text }),
  lost: object({ type: word("lost"), deck: text }),
  replay: (value: unknown, at: string) => {
    const { change, id } = object({ change: word("created", "changed", "deleted"), id: text })(value, at);
    const now = change === "deleted" ? null : replay(value, at);
    return { type: "replay" as const, change, id, replay: now };
  },
  forgotten: object({ type: word("forgotten"), job: text }),
  job: (value: unknown, at: string) => ({ type: "job" as const, job: job(value, at) }),
};

export type Channel = Of<typeof channel>;
export type Deck = Of<typeof deck>;
export type Obs = Of<typeof obs>;
export type Memory = Of<typeof memory>;
export type Replay = Of<typeof replay>;
export type Job = Of<typeof job>;
export type Message = { [K in keyof typeof messages]: Of<(typeof messages)[K]> }[keyof typeof messages];

/** A message, or nothing where it is of a kind that this page does not know. */
export function message(value: unknown): Message | null {
  const { type } = object({ type: text })(value, "message");
  const shape = Object.hasOwn(messages, type) ? messages[type as keyof typeof messages] : null;
  return shape ? shape(value, type) : null;
}

const stretch = object({ number, run: number, start: text, duration_s: number, bytes: number });

/** `GET channels/CHANNEL/timeline`. */
export const timeline = object({ first: orNull(number), segments: list(stretch) });
export type Stretch = Of<typeof stretch>;

const parameter = object({
  type: text,
  about: text,
  default: anything,
  min: anything,
  max: anything,
  choices: optional(list(text)),
});

const preset = object({
  name: text,
  about: text,
  available: flag,
  missing: orNull(text),
  parameters: entries(parameter),
});

/** `GET presets`. */
export const presets = list(preset);
export type Preset = Of<typeof preset>;
export type Parameter = Preset["parameters"][number];

/** `GET` and `POST session`. */
export const session = object({ access: word("none", "view", "full"), token: flag });
export type Session = Of<typeof session>;
export type Access = Session["access"];

/** `GET links`. */
export const links = object({
  links: list(object({ origin: text, access: word("view", "full"), url: text, qr: list(text) })),
  valid_s: number,
});
export type Links = Of<typeof links>;
export type Link = Links["links"][number];

/** `POST obs/replay`. */
export const instant = object({ problems: list(object({ hint: text })) });

export const savedReplay: Shape<Replay> = replay;
export const begunJob: Shape<Job> = job;
export const problem = object({ code: text, detail: text });

export { ShapeError };
