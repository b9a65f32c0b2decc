/**
 * The window of a channel in a video element: live, and back to its beginning.
 *
 * The playlist tells when each segment was recorded, so places in the video and times on the clock are the same thing
 * here. Browsers with Media Source Extensions use hls.js, which is loaded when there is something to play; others play
 * the playlist themselves.
 */

import type Hls from "hls.js";

import { newest } from "../newest";
import { forPreviews } from "./hls";
import { Picture, type Window } from "./picture";

/** How far behind where it may be a live picture may fall before it is brought back at once. */
const LATE_S = 4;
/** The same where what is to be shown then has been loaded already. */
const LATE_IN_HAND_S = 1;
/** Less is made up for by playing a little faster, from here on, up to here, and with so much in hand. */
const HURRY_FROM_S = 0.3;
const HURRY_TO_S = 0.1;
const IN_HAND_S = 0.4;
const HURRY = 1.08;
/** A picture that does not come for so long is told of. */
const PATIENCE_MS = 1000;
const RETRY_MS = 1500;
/** How far channels that are seen beside each other may be apart. */
const STEP_PLAYING_MS = 250;
const STEP_PAUSED_MS = 15;
/** Whoever goes to the last pictures does not see them before something comes behind: decoders keep them so long. */
const LAST_PICTURES_S = 0.2;
/** While one is on the way to a place, and the others play on: how far they may get. */
const STEP_ON_THE_WAY_S = 2;
/** The very first pictures go before they can be shown. */
const OLDEST_MARGIN_MS = 1500;

/** Pictures and sound come apart where there is sound to choose from. */
export type Form = "whole" | "apart" | "preview";

export class Live extends Picture implements Window {
  follows = true;
  trouble = false;
  isWaiting = false;
  isLed = false;
  sounds: readonly string[] = [];

  private hls: Hls | null = null;
  private retry: number | undefined;
  private patience: number | undefined;
  private isOver = false;
  private hurries = false;
  private rests = false;
  private chosen = 0;
  private mendedAt: number | null = null;
  /** Where to go as soon as there is a picture. */
  private wanted: number | null = null;

  constructor(
    video: HTMLVideoElement,
    private readonly url: string,
    private readonly form: Form,
    changed: () => void,
    silenced: () => void,
  ) {
    super(video, changed, silenced);
    video.addEventListener("timeupdate", () => this.keepUp());
    video.addEventListener("waiting", () => this.wait());
    for (const event of ["playing", "pause", "emptied"]) video.addEventListener(event, () => this.waitNoLonger());
    // hls.js tells of its own errors.
    video.addEventListener("error", () => {
      if (!this.hls && video.error !== null) this.again();
    });
    video.addEventListener("loadedmetadata", () => {
      if (!this.hls) this.trouble = false;
      if (this.wanted !== null) this.seek(this.wanted);
    });
    void this.load();
  }

  get time(): number | null {
    if (this.wanted !== null) return this.wanted;
    const at = this.video.currentTime;
    const fragments = this.fragments();
    if (fragments) {
      const fragment = newest(fragments, ({ start }) => start <= at + 0.05) ?? fragments[0];
      return fragment?.programDateTime ? fragment.programDateTime + (at - fragment.start) * 1000 : null;
    }
    const start = this.startDate();
    return start === null ? null : start + at * 1000;
  }

  seek(ms: number): void {
    this.follows = false;
    const at = this.placeOf(ms);
    this.wanted = at === null ? ms : null;
    if (at !== null) this.video.currentTime = at;
    this.changed();
  }

  by(seconds: number): void {
    const at = this.time;
    if (at === null) return;
    const target = at + seconds * 1000;
    const edge = this.edge();
    if (seconds >= 1 && edge !== null && target >= edge) this.toLive();
    else this.seek(target);
  }

  get sound(): number {
    return this.chosen;
  }

  set sound(index: number) {
    this.chosen = index;
    if (this.hls) this.hls.audioTrack = index;
    this.changed();
  }

  toLive(): void {
    this.wanted = null;
    this.speed = 1;
    const edge = this.hls?.liveSyncPosition ?? this.seekableEnd();
    if (edge !== null) this.video.currentTime = edge;
    this.follows = true;
    this.play();
    this.changed();
  }

  override pause(): void {
    this.follows = false;
    super.pause();
  }

  override set speed(factor: number) {
    if (factor < 1) this.follows = false;
    this.hurries = false;
    super.speed = factor;
  }

  override get speed(): number {
    return this.hurries ? 1 : super.speed;
  }

  keepTo(other: Window): void {
    const [mine, its] = [this.time, other.time];
    if (mine === null || its === null || this.video.readyState < 1) return;
    if (this.speed !== other.speed) this.speed = other.speed;
    const isApart = Math.abs(mine - its) > (other.isPaused ? STEP_PAUSED_MS : STEP_PLAYING_MS);
    const at = isApart ? this.placeOf(its) : null;
    const way = at === null ? 0 : Math.abs(at - this.video.currentTime);
    const isOnTheWay = this.video.seeking || this.video.readyState < 2;
    const least = isOnTheWay && !other.isPaused ? STEP_ON_THE_WAY_S : STEP_PAUSED_MS / 1000;
    if (at !== null && way > least) this.video.currentTime = at;
    if (isOnTheWay) return;
    if (other.isPaused !== this.isPaused) this.toggle();
    this.follows = other.follows;
  }

  tend(oldest: number): boolean {
    if (this.behind() > LATE_S) this.toLive();
    const at = this.time;
    if (at === null || this.follows || this.video.seeking || at >= oldest) return false;
    this.seek(oldest + OLDEST_MARGIN_MS);
    return true;
  }

  get isResting(): boolean {
    return this.rests;
  }

  set isResting(rests: boolean) {
    if (rests === this.rests) return;
    this.rests = rests;
    if (rests) {
      this.video.pause();
      this.hls?.stopLoad();
    } else {
      this.hls?.startLoad();
      if (this.follows) this.toLive();
    }
  }

  end(): void {
    this.isOver = true;
    clearTimeout(this.retry);
    clearTimeout(this.patience);
    this.hls?.destroy();
    this.hls = null;
    this.video.removeAttribute("src");
    this.video.load();
  }

  private async load(): Promise<void> {
    const { default: Player } = await (this.form === "apart" ? import("hls.js") : import("hls.js/light"));
    if (this.isOver) return;
    if (!Player.isSupported()) {
      this.video.src = this.url;
      this.play();
      return;
    }
    const hls = new Player({
      lowLatencyMode: true,
      liveDurationInfinity: true,
      backBufferLength: 20,
      maxBufferLength: 12,
      enableWorker: false,
      ...(this.form === "preview" ? forPreviews : {}),
    });
    // Two segments behind, where the playlist does not say that less will do.
    hls.config.liveSyncDurationCount = 2;
    // A picture that has stood still once is not late for ever.
    hls.config.liveSyncOnStallIncrease = 0.2;
    hls.on(Player.Events.ERROR, (_, { fatal, type }) => {
      if (!fatal) return;
      if (type === Player.ErrorTypes.MEDIA_ERROR && !this.trouble) {
        this.trouble = true;
        this.mend(hls);
      } else {
        this.again();
      }
    });
    hls.on(Player.Events.FRAG_BUFFERED, (_, { frag, part, id }) => {
      if (id === "main" && this.isLost(hls, part ?? frag)) {
        // It is not to be passed over the next time.
        frag.gap = false;
        return this.mend(hls);
      }
      if (this.trouble) {
        this.trouble = false;
        this.changed();
      }
      if (this.wanted !== null) this.seek(this.wanted);
    });
    hls.on(Player.Events.MANIFEST_PARSED, () => this.play());
    hls.on(Player.Events.AUDIO_TRACKS_UPDATED, (_, { audioTracks }) => {
      this.sounds = audioTracks.map(({ name }) => name);
      // A player that was begun anew knows nothing of what was chosen.
      if (this.chosen < audioTracks.length) hls.audioTrack = this.chosen;
      this.changed();
    });
    this.hls = hls;
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  /** By how many seconds it is later than it has to be, while something comes. */
  private behind(): number {
    const details = this.hls?.latestLevelDetails;
    if (!this.hls || !details || !this.follows || this.isLed || this.video.paused) return 0;
    // Before there is a picture the player itself goes where it is to begin.
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return 0;
    if (details.age > details.targetduration) return 0;
    const at = this.video.currentTime;
    return (this.hls.liveSyncPosition ?? at) - at;
  }

  private keepUp(): void {
    if (this.video.seeking || this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) return;
    const { buffered, currentTime } = this.video;
    const inHand = buffered.length > 0 ? buffered.end(buffered.length - 1) - currentTime : 0;
    const behind = this.behind();
    if (behind > LATE_IN_HAND_S && inHand - behind > HURRY_TO_S) this.video.currentTime += behind;
    const isLate = behind > (this.hurries ? HURRY_TO_S : HURRY_FROM_S);
    const hurries = isLate && inHand > IN_HAND_S && this.speed === 1;
    if (hurries === this.hurries) return;
    this.hurries = hurries;
    this.video.playbackRate = hurries ? HURRY : 1;
  }

  private wait(): void {
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      this.isWaiting = this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
      this.changed();
    }, PATIENCE_MS);
  }

  private waitNoLonger(): void {
    clearTimeout(this.patience);
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.changed();
  }

  /** What GStreamer's WebKit was given first is where its world begins: it drops what lies before, and says nothing. */
  private isLost(hls: Hls, { start, duration }: { start: number; duration: number }): boolean {
    const at = this.video.currentTime;
    const isMeant = this.video.seeking && start <= at && at < start + duration;
    return isMeant && at !== this.mendedAt && hls.mainForwardBufferInfo?.len === 0;
  }

  /** Goes on with decoders that know of nothing. */
  private mend(hls: Hls): void {
    const { paused, currentTime } = this.video;
    this.mendedAt = currentTime;
    this.wanted ??= this.follows ? null : this.time;
    hls.recoverMediaError();
    if (!paused) this.play();
  }

  /** Begins anew, at the same place. */
  private again(): void {
    this.wanted ??= this.follows ? null : this.time;
    this.hls?.destroy();
    this.hls = null;
    this.trouble = true;
    this.changed();
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.load(), RETRY_MS);
  }

  private fragments() {
    return this.hls ? (this.hls.latestLevelDetails?.fragments ?? []) : null;
  }

  private placeOf(ms: number): number | null {
    const fragments = this.fragments();
    if (fragments) {
      const isBefore = ({ programDateTime }: { programDateTime: number | null }): boolean =>
        programDateTime !== null && programDateTime <= ms;
      const fragment = newest(fragments, isBefore) ?? fragments[0];
      if (!fragment?.programDateTime) return null;
      const within = Math.max(0, ms - fragment.programDateTime) / 1000;
      // A moment in a gap is shown by what comes behind it.
      const next = fragments[fragments.indexOf(fragment) + 1];
      const last = (this.hls?.latestLevelDetails?.edge ?? Infinity) - LAST_PICTURES_S;
      return Math.min(fragment.start + within, next ? next.start + 0.01 : Math.max(fragment.start, last));
    }
    const start = this.startDate();
    return start === null ? null : (ms - start) / 1000;
  }

  private edge(): number | null {
    const last = this.fragments()?.at(-1);
    return last?.programDateTime ? last.programDateTime + last.duration * 1000 - 2000 : null;
  }

  private startDate(): number | null {
    const video = this.video as HTMLVideoElement & { getStartDate?: () => Date };
    const start = video.getStartDate?.().getTime();
    return start === undefined || Number.isNaN(start) ? null : start;
  }

  private seekableEnd(): number | null {
    const { seekable } = this.video;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
  }
}
