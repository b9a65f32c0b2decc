/** What can be done with the page, and the state of the page itself. What is shown of it is in `ui/`. */

import { api, Refusal, type Load } from "./api";
import { listen } from "./events";
import type { Clip } from "./live/clip";
import { playable } from "./live/codecs";
import type { Player, Window } from "./live/picture";
import type { Access, Job, Link, Message, Preset, Replay, Session } from "./protocol";
import { remembered } from "./remembered";
import { Store, type Span } from "./store";
import { strings } from "./strings";
import type { Marks } from "./timeline/draw";
import { Toasts } from "./toasts";

/** How long a deletion can be undone. */
const UNDO_MS = 8000;
/** What S keeps where nothing is marked. */
const LAST_S = 10;

export type Dialog =
  | { kind: "help" }
  | { kind: "clear"; channel: string }
  | { kind: "convert"; replay: string }
  | LinkDialog
  | null;
export type LinkDialog = { kind: "link"; links: Link[]; valid_s: number; shown: Link | undefined };

export class App {
  readonly store = new Store(() => this.heard());
  readonly toasts = new Toasts(() => this.changed());
  access: Access | "unknown" = "unknown";
  dialog: Dialog = null;
  /** The channel that is watched. */
  channel = "";
  /** Whether all channels are seen beside each other. */
  isWall = false;
  marks: Marks = { from: null, to: null };
  /** The replay that is watched in place of the channel. */
  viewing: string | null = null;
  /** Which of its channels. */
  angle: string | null = null;
  name = "";
  search = "";
  reel: string[] = [];
  live: Window | null = null;
  clip: Clip | null = null;
  presets: Preset[] | null = null;
  /** Whether the server makes previews; null as long as nobody had to know. */
  makesPreviews: boolean | null = null;
  /** The preset that was chosen last. */
  preset = "share";
  /** Whether exports have somewhere to go. */
  hasLibrary = false;
  isMuted = remembered.isMuted;
  volume = remembered.volume;

  private readonly doomed = new Map<string, number>();
  private asksForPreviews = false;
  private stop: (() => void) | null = null;

  constructor(readonly changed: () => void) {}

  start(): void {
    addEventListener("pagehide", () => this.deleteDoomed());
    // A link that is opened where the page is already shown does not load it anew.
    addEventListener("hashchange", () => this.tryLink());
    if (!this.tryLink()) void this.enter();
  }

  /** A link from the host carries a pass, or the token, behind the #, which no server and no log ever sees. */
  private tryLink(): boolean {
    // A token may have a plus in it, which is no space here.
    const token = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B")).get("token");
    if (!token) return false;
    history.replaceState(null, "", location.pathname + location.search);
    void this.signIn(token);
    return true;
  }

  async signIn(token: string): Promise<void> {
    try {
      this.admit(await api.signIn(token));
      this.listen();
    } catch (error) {
      // Whoever comes back by an old link may have been let in before.
      const session = await api.session().catch(() => null);
      if (session && session.access !== "none") {
        this.admit(session);
        this.listen();
      } else {
        this.access = "none";
        this.toasts.problem(error);
      }
    }
    this.changed();
  }

  async signOut(): Promise<void> {
    await this.attempt(() => api.signOut());
    this.stop?.();
    this.stop = null;
    this.access = "none";
    this.show(null);
  }

  /** Whether this browser has shown a token. */
  hasToken = false;

  get mayChange(): boolean {
    return this.access === "full";
  }

  /** What keys and buttons for playing mean. */
  get picture(): Player | null {
    return this.viewing === null ? this.live : this.clip;
  }

  /** What is listed: without what is about to be deleted. */
  get replays(): Replay[] {
    return this.store.replays.filter(({ id }) => !this.doomed.has(id));
  }

  get replay(): Replay | null {
    return this.replays.find(({ id }) => id === this.viewing) ?? null;
  }

  /** When what is shown was recorded. */
  get moment(): number | null {
    const { replay, clip } = this;
    return replay && clip ? Date.parse(replay.start) + clip.time * 1000 : (this.live?.time ?? null);
  }

  /** Whether what is being recorded is seen: phones stop pictures that are out of sight, which still belong there. */
  get isLive(): boolean {
    return this.live !== null && this.live.follows && !this.live.isPaused;
  }

  window(): Span | null {
    return this.store.window(this.channel);
  }

  watch(channel: string): void {
    this.channel = channel;
    this.marks = { from: null, to: null };
    this.view(null);
  }

  /** Watches a replay, or the channel again. */
  view(replay: string | null): void {
    this.viewing = replay;
    this.angle = null;
    this.changed();
  }

  /** Of all channels beside each other, the one that is heard and marked. */
  choose(channel: string): void {
    this.channel = channel;
    this.changed();
  }

  setSpeed(factor: number): void {
    const { picture } = this;
    if (!picture) return;
    picture.speed = factor;
    if (picture.isPaused) picture.play();
    this.changed();
  }

  /** Where on the channel's timeline the replays lie. */
  replaySpans(): (Span & { isOpen: boolean })[] {
    const angles = this.replays.flatMap((replay) => replay.angles.map((angle) => ({ ...angle, id: replay.id })));
    return angles
      .filter(({ channel }) => channel === this.channel)
      .map(({ id, start, end }) => ({ from: Date.parse(start), to: Date.parse(end), isOpen: id === this.viewing }));
  }

  backToLive(): void {
    this.view(null);
    this.live?.toLive();
  }

  mark(which: keyof Marks, at: number | null = this.live?.time ?? null): void {
    if (at === null || this.viewing !== null) return;
    this.marks = { ...this.marks, [which]: at };
    const { from, to } = this.marks;
    // A start behind the end begins a new mark.
    if (from !== null && to !== null && from >= to) {
      this.marks = which === "from" ? { from, to: null } : { from: null, to };
    }
    this.changed();
  }

  clearMarks(): void {
    this.marks = { from: null, to: null };
    this.changed();
  }

  /** What is marked; without a start from the beginning of the window on, without an end up to now. */
  marked(): Span | null {
    const window = this.window();
    const { from, to } = this.marks;
    if (!window || (from === null && to === null)) return null;
    return { from: from ?? window.from, to: to ?? window.to };
  }

  async save(last: number | null = null): Promise<void> {
    const marked = last === null ? this.marked() : null;
    const iso = (ms: number): string => new Date(ms).toISOString();
    const what = marked
      ? { from: iso(marked.from), ...(this.marks.to === null ? {} : { to: iso(marked.to) }) }
      : { last: `${last ?? LAST_S}s` };
    const name = this.takeName();
    const saved = await this.attempt(() =>
      api.save({ ...this.angles(), ...what, ...(name ? { name } : {}) }),
    );
    if (!saved) return this.giveBack(name);
    if (marked) this.marks = { from: null, to: null };
    this.toasts.show(strings.saved(saved.name), {
      label: strings.watch,
      run: () => this.view(saved.id),
    });
    if (saved.dropped > 0) this.toasts.show(strings.savedDropped(saved.dropped));
  }

  /** The name that was written: the field is free for the next one at once. */
  private takeName(): string {
    const name = this.name.trim();
    this.name = "";
    return name;
  }

  private giveBack(name: string): void {
    this.name ||= name;
    this.changed();
  }

  /** Of channels that are seen beside each other all are kept. */
  private angles(): { channel: string } | { channels: string[] } {
    const all = this.store.channels.filter(({ window }) => window !== null);
    return this.isWall ? { channels: all.map(({ name }) => name) } : { channel: this.channel };
  }

  tellChannel(name: string, command: "pause" | "resume" | "clear"): Promise<unknown> {
    return this.attempt(() => api.channel(name, command));
  }

  edit(id: string, what: object): Promise<unknown> {
    return this.attempt(() => api.edit(id, what));
  }

  /** Deletes it unless that is undone. */
  delete(replay: Replay): void {
    const timer = setTimeout(() => void this.deleteNow(replay.id), UNDO_MS);
    this.doomed.set(replay.id, timer);
    this.reel = this.reel.filter((id) => id !== replay.id);
    if (this.viewing === replay.id) this.view(null);
    const undo = (): void => {
      clearTimeout(timer);
      this.doomed.delete(replay.id);
      this.changed();
    };
    this.toasts.show(strings.deleted(replay.name), { label: strings.undo, run: undo }, UNDO_MS);
    this.changed();
  }

  emptyReel(): void {
    this.reel = [];
    this.changed();
  }

  find(words: string): void {
    this.search = words;
    this.changed();
  }

  watchAngle(channel: string): void {
    this.angle = channel;
    this.changed();
  }

  duplicate(id: string): Promise<unknown> {
    return this.attempt(() => api.duplicate(id));
  }

  split(id: string, at_s: number): Promise<unknown> {
    return this.attempt(() => api.split(id, at_s));
  }

  async convert(id: string, preset: string, parameters: object): Promise<void> {
    if (await this.attempt(() => api.convert(id, preset, parameters))) this.show(null);
  }

  async export(id: string, format: string): Promise<void> {
    if (await this.attempt(() => api.export(id, format))) this.show(null);
  }

  endJob(job: Job): Promise<unknown> {
    return this.attempt(() => api.endJob(job.id));
  }

  async makeReel(): Promise<void> {
    const name = this.takeName();
    const reel = await this.attempt(() => api.join(this.reel, name || strings.reelName));
    if (!reel) return this.giveBack(name);
    this.reel = [];
    this.toasts.show(strings.saved(reel.name), { label: strings.watch, run: () => this.view(reel.id) });
  }

  addToReel(id: string): void {
    if (!this.reel.includes(id)) this.reel = [...this.reel, id];
    this.changed();
  }

  /** Moves something in the reel, or out of it. */
  reorder(id: string, to: number | null): void {
    const others = this.reel.filter((other) => other !== id);
    const at = Math.max(0, to ?? 0);
    this.reel = to === null ? others : [...others.slice(0, at), id, ...others.slice(at)];
    this.changed();
  }

  load(deck: string, what: Load): Promise<unknown> {
    return this.attempt(() => api.deck(deck, "load", what));
  }

  /** Plays on the first deck what is watched or marked, at the speed at which it is watched. */
  putOnAir(id: string | null = this.viewing): void {
    const deck = this.store.decks[0]?.name;
    if (!deck || !this.mayChange) return;
    const speed = this.picture?.speed ?? 1;
    const at = speed === 1 ? {} : { speed };
    const marked = this.marked();
    if (id) void this.load(deck, { replay: id, ...at });
    else if (marked) {
      const [from, to] = [marked.from, marked.to].map((ms) => new Date(ms).toISOString());
      void this.load(deck, { channel: this.channel, from: from!, to: to!, ...at });
    } else {
      void this.load(deck, { channel: this.channel, last: `${LAST_S}s`, ...at });
    }
  }

  /** The last seconds in slow motion on OBS's program. */
  async instantReplay(): Promise<void> {
    const deck = this.store.decks[0]?.name;
    if (!deck || !this.mayChange || this.store.obs?.state !== "connected") return;
    const speed = this.picture?.speed ?? 1;
    const left = await this.attempt(() => api.instantReplay(this.channel, deck, speed < 1 ? speed : 0.5));
    for (const hint of left ?? []) this.toasts.show(hint);
  }

  async openConvert(replay: string): Promise<void> {
    this.dialog = { kind: "convert", replay };
    this.changed();
    this.presets ??= (await this.attempt(() => api.presets())) ?? null;
    this.hasLibrary = await api.hasLibrary();
    this.changed();
  }

  async openLink(): Promise<void> {
    const told = await this.attempt(() => api.links());
    if (told) this.show({ kind: "link", ...told, shown: told.links[0] });
  }

  show(dialog: Dialog): void {
    this.dialog = dialog;
    this.changed();
  }

  setSound(isMuted: boolean, volume = this.volume): void {
    this.isMuted = isMuted;
    this.volume = volume;
    remembered.isMuted = isMuted;
    remembered.volume = volume;
    this.changed();
  }

  /** The browser lets nothing be heard before somebody asks for it: that is seen, and is nothing to be remembered. */
  silence(): void {
    this.isMuted = true;
    this.changed();
  }

  /** Does something, and says so where it does not work. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) this.access = "none";
      this.toasts.problem(error);
      return undefined;
    } finally {
      this.changed();
    }
  }

  private async enter(): Promise<void> {
    try {
      this.admit(await api.session());
    } catch {
      // It is not there, or not yet: the connection says so, and is sought again.
      this.access = "full";
    }
    if (this.access !== "none") this.listen();
    this.changed();
  }

  private listen(): void {
    this.stop?.();
    let wasLost = false;
    this.stop = listen({
      state: (state) => {
        if (state === "open" && wasLost) this.toasts.show(strings.back);
        // Another server may have come, or ffmpeg been installed.
        if (state === "open" && wasLost) this.makesPreviews = null;
        if (state === "lost") void this.checkAccess();
        wasLost = state === "lost" || (wasLost && state !== "open");
        this.store.connected(state);
      },
      message: (message) => this.take(message),
    });
  }

  /** A connection that is refused does not say why: another token may be wanted by now. */
  private async checkAccess(): Promise<void> {
    const session = await api.session().catch(() => null);
    if (session === null || session.access === this.access) return;
    this.admit(session);
    if (this.access === "none") {
      this.stop?.();
      this.stop = null;
    }
    this.changed();
  }

  private admit({ access, token }: Session): void {
    this.access = access;
    this.hasToken = token;
  }

  private take(message: Message): void {
    if (message.type === "ended") this.toasts.show(strings.deckEnded(message.deck));
    if (message.type === "lost") this.toasts.show(strings.deckLost(message.deck));
    this.store.take(message);
  }

  private heard(): void {
    const { channels } = this.store;
    if (!channels.some(({ name }) => name === this.channel)) this.channel = channels[0]?.name ?? "";
    const known = new Set(this.store.replays.map(({ id }) => id));
    if (this.viewing !== null && !known.has(this.viewing)) this.viewing = null;
    this.reel = this.reel.filter((id) => known.has(id));
    const window = this.window();
    if (window && this.viewing === null && this.live?.tend(window.from)) this.toasts.show(strings.passed);
    void this.askForPreviews();
    this.changed();
  }

  /** Whether there are previews is asked as soon as this browser cannot play something. */
  private async askForPreviews(): Promise<void> {
    const inNeed = this.store.channels.find((channel) => channel.window && channel.video && playable(channel) === "no");
    if (this.makesPreviews !== null || this.asksForPreviews || !inNeed) return;
    this.asksForPreviews = true;
    this.makesPreviews = await api.makesPreviews(inNeed.name);
    this.asksForPreviews = false;
    this.changed();
  }

  private async deleteNow(id: string): Promise<void> {
    await this.attempt(() => api.delete(id));
    this.doomed.delete(id);
    this.changed();
  }

  /** Whoever leaves has not undone it. */
  private deleteDoomed(): void {
    for (const [id, timer] of this.doomed) {
      clearTimeout(timer);
      void api.delete(id, true).catch(() => undefined);
    }
    this.doomed.clear();
  }
}
