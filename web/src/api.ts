/** Requests. What is refused becomes an error in the server's own words. */

import { strings } from "./strings";
import {
  begunJob,
  instant,
  links,
  presets,
  problem,
  savedReplay,
  session,
  timeline,
  type Job,
  type Links,
  type Preset,
  type Replay,
  type Session,
} from "./protocol";
import type { Shape } from "./shape";

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

async function ask(method: string, path: string, body?: object, keepalive = false): Promise<unknown> {
  const init: RequestInit = { method, keepalive };
  if (body) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetch(`/api/v1/${path}`, init).catch(() => {
    throw new Refusal(0, "unreachable", strings.unreachable);
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told: unknown = await answer.json().catch(() => null);
  try {
    const { code, detail } = problem(told, "problem");
    throw new Refusal(answer.status, code, detail);
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(answer.status, "unknown", answer.statusText);
  }
}

async function read<T>(shape: Shape<T>, path: string): Promise<T> {
  return shape(await ask("GET", path), path);
}

const part = encodeURIComponent;

export interface Save {
  channel?: string;
  channels?: string[];
  last?: string;
  from?: string;
  to?: string;
  name?: string;
}

export type Load = ({ replay: string; channel?: string } | { channel: string; last: string } | { channel: string; from: string; to: string } | { channel: string; live: true }) & {
  speed?: number;
};

export const api = {
  session: (): Promise<Session> => read(session, "session"),
  signIn: async (token: string): Promise<Session> => session(await ask("POST", "session", { token }), "session"),
  signOut: () => ask("DELETE", "session"),

  /** Where other devices find this page: first of all where this one has found it. */
  links: (): Promise<Links> => read(links, `links?origin=${part(location.origin)}`),

  timeline: (channel: string, after: number | null) =>
    read(timeline, `channels/${part(channel)}/timeline${after === null ? "" : `?after=${after}`}`),
  channel: (name: string, command: "pause" | "resume" | "clear") =>
    ask("POST", `channels/${part(name)}/${command}`, {}),

  save: async (what: Save): Promise<Replay & { dropped: number }> => {
    const answer = await ask("POST", "replays", what);
    const { dropped } = answer as { dropped?: string[] };
    return { ...savedReplay(answer, "replay"), dropped: dropped?.length ?? 0 };
  },
  edit: (id: string, what: object) => ask("PATCH", `replays/${part(id)}`, what),
  delete: (id: string, isLeaving = false) => ask("DELETE", `replays/${part(id)}`, undefined, isLeaving),
  duplicate: (id: string) => ask("POST", `replays/${part(id)}/duplicate`, {}),
  split: (id: string, at_s: number) => ask("POST", `replays/${part(id)}/split`, { at_s }),
  join: async (replays: string[], name: string): Promise<Replay> =>
    savedReplay(await ask("POST", "replays/join", { replays, name }), "replay"),

  presets: (): Promise<Preset[]> => read(presets, "presets"),
  convert: async (id: string, preset: string, parameters: object): Promise<Job> =>
    begunJob(await ask("POST", `replays/${part(id)}/convert`, { preset, parameters }), "job"),
  export: async (id: string, format: string): Promise<Job> =>
    begunJob(await ask("POST", `replays/${part(id)}/export`, { format }), "job"),
  endJob: (id: string) => ask("DELETE", `jobs/${part(id)}`),

  /** Keeps the last seconds, and puts them on OBS's program: gives what OBS did not do. */
  instantReplay: async (channel: string, deck: string, speed: number): Promise<string[]> => {
    const answer = instant(await ask("POST", "obs/replay", { channel, deck, speed }), "replay");
    return answer.problems.map(({ hint }) => hint);
  },

  /** Whether the server can make previews; null where it does not say. */
  makesPreviews: async (channel: string): Promise<boolean | null> => {
    const answer = await fetch(`/hls/${part(channel)}/preview.m3u8`).catch(() => null);
    if (answer?.ok) return true;
    const told = (await answer?.json().catch(() => null)) as { code?: string } | null | undefined;
    return told?.code === "no_ffmpeg" || told?.code === "no_encoder" ? false : null;
  },

  hasLibrary: (): Promise<boolean> => ask("GET", "library").then(() => true, () => false),

  deck: (name: string, command: string, body: object = {}) =>
    ask("POST", `decks/${part(name)}/${command}`, body),
};
