/** What the page knows of the server: filled by events, looked at by everything that is shown. */

import { api } from "./api";
import type { State } from "./events";
import type { Channel, Deck, Job, Memory, Message, Obs, Replay, Stretch } from "./protocol";

/** How far ahead of what was heard last the live edge is taken to be, before it waits for news. */
const AHEAD_MAX_MS = 1500;
/** Segments are asked for when there must be a new one, and not more often than this. */
const SEGMENTS_EVERY_MS = 1000;

export interface Span {
  from: number;
  to: number;
}

interface Known {
  segments: Stretch[];
  askedAt: number;
  isAsking: boolean;
}

export class Store {
  connection: State = "connecting";
  version = "";
  memory: Memory = { limit_bytes: 1, used_bytes: 0, held_bytes: 0, index_bytes: 0 };
  channels: Channel[] = [];
  decks: Deck[] = [];
  /** The newest first. */
  replays: Replay[] = [];
  /** The newest first. */
  jobs: Job[] = [];
  /** The OBS that the server watches over, if it does. */
  obs: Obs | null = null;
  /** Counts connections: what was loaded over an earlier one may be of another server. */
  era = 0;

  private heardAt = 0;
  private known = new Map<string, Known>();

  constructor(private readonly changed: () => void) {}

  connected(state: State): void {
    this.connection = state;
    this.changed();
  }

  take(message: Message): void {
    switch (message.type) {
      case "snapshot":
        this.era += 1;
        this.known.clear();
        this.decks = message.decks;
        this.obs = message.obs;
        this.replays = message.replays;
        this.jobs = [...message.jobs].reverse();
        this.status(message);
        break;
      case "status":
        this.status(message);
        break;
      case "deck":
        this.decks = placed(this.decks, message.deck, "name");
        break;
      case "obs":
        this.obs = message.obs;
        break;
      case "replay":
        this.replays = message.replay
          ? placed(this.replays, message.replay, "id")
          : this.replays.filter(({ id }) => id !== message.id);
        break;
      case "forgotten":
        this.jobs = this.jobs.filter(({ id }) => id !== message.job);
        break;
      case "job":
        this.jobs = placed(this.jobs, message.job, "id");
        break;
    }
    this.changed();
  }

  channel(name: string): Channel | undefined {
    return this.channels.find((channel) => channel.name === name);
  }

  /** From the oldest picture of a channel to the newest, in time of the clock that recorded them. */
  window(name: string): Span | null {
    const channel = this.channel(name);
    if (!channel?.window) return null;
    const ahead = channel.state === "recording" ? performance.now() - this.heardAt : 0;
    return {
      from: Date.parse(channel.window.start),
      to: Date.parse(channel.window.end) + Math.min(ahead, AHEAD_MAX_MS),
    };
  }

  /** What the window of a channel consists of, as far as it is known; the rest is asked for. */
  segments(name: string): Stretch[] {
    let known = this.known.get(name);
    if (!known) {
      known = { segments: [], askedAt: -SEGMENTS_EVERY_MS, isAsking: false };
      this.known.set(name, known);
    }
    this.askFor(name, known);
    return known.segments;
  }

  private askFor(name: string, known: Known): void {
    const window = this.window(name);
    const last = known.segments.at(-1);
    const lastEnd = last ? Date.parse(last.start) + last.duration_s * 1000 : -Infinity;
    const isDue = window && window.to - lastEnd > 2000;
    const now = performance.now();
    if (!isDue || known.isAsking || now - known.askedAt < SEGMENTS_EVERY_MS) return;
    known.isAsking = true;
    known.askedAt = now;
    void api
      .timeline(name, last?.number ?? null)
      .then(({ first, segments }) => {
        const there = known.segments.filter(({ number }) => first !== null && number >= first);
        known.segments = [...there, ...segments];
        this.changed();
      })
      .catch(() => undefined)
      .finally(() => (known.isAsking = false));
  }

  private status(status: { version: string; memory: Memory; channels: Channel[] }): void {
    this.version = status.version;
    this.memory = status.memory;
    this.channels = status.channels;
    this.heardAt = performance.now();
  }
}

/** The list with an entry in the place of the one of the same name, or in front. */
function placed<K extends string, T extends Record<K, string>>(list: T[], entry: T, key: K): T[] {
  const at = list.findIndex((other) => other[key] === entry[key]);
  return at < 0 ? [entry, ...list] : [...list.slice(0, at), entry, ...list.slice(at + 1)];
}
