/** What a video element can be told, whatever it plays. */

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

/** Firefox shows and tells of pictures in ways of its own. */
export const IS_GECKO = navigator.userAgent.includes("Gecko/");
/** It takes a place that it was sent to for the beginning of the picture there, but for rounding. */
const SAME_S = 0.000_01;

/** What buttons and keys can do with anything that is watched. */
export interface Player {
  readonly isPaused: boolean;
  speed: number;
  /** Pictures in a second. */
  fps: number;
  /** The next faster or slower one of the speeds. */
  shift(step: 1 | -1): void;
  play(): void;
  pause(): void;
  toggle(): void;
  /** Goes so many pictures on, or back, and stands there. */
  step(pictures: number): void;
  /** Goes so many seconds on, or back. */
  by(seconds: number): void;
}

/** The window of a channel, in whatever way it is shown. */
export interface Window extends Player {
  /** When what is shown was recorded. */
  readonly time: number | null;
  /** Whether the live edge is followed: until somebody goes elsewhere. */
  follows: boolean;
  readonly trouble: boolean;
  /** What there is to choose from of sound, and which of it is heard. */
  readonly sounds: readonly string[];
  sound: number;
  /** Whether it stands still, since what comes next has not been loaded yet. */
  readonly isWaiting: boolean;
  /** Shows the moment, and follows the live edge no longer. */
  seek(ms: number): void;
  toLive(): void;
  /** Keeps to the live edge, and within what is still there. Gives whether the moment had to be left. */
  tend(oldest: number): boolean;
  /** Whether another channel says when it is to be where. */
  isLed: boolean;
  /** Keeps in step with another channel, by the clock. */
  keepTo(other: Window): void;
  /** What is not watched is not loaded. */
  isResting: boolean;
  end(): void;
}

/** The speed that comes next. */
export function nextSpeed(now: number, step: 1 | -1): number {
  const distances = SPEEDS.map((speed) => Math.abs(speed - now));
  const at = distances.indexOf(Math.min(...distances));
  return SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + step))]!;
}

export abstract class Picture implements Player {
  constructor(
    readonly video: HTMLVideoElement,
    protected readonly changed: () => void,
  ) {
    for (const event of ["play", "pause", "ratechange", "volumechange", "loadeddata", "seeked", "waiting", "playing"]) {
      video.addEventListener(event, changed);
    }
    video.addEventListener("seeking", () => this.sent(video.currentTime));
    this.watch();
  }

  fps = 30;

  abstract by(seconds: number): void;

  get isPaused(): boolean {
    return this.video.paused;
  }

  get speed(): number {
    return this.video.playbackRate;
  }

  set speed(factor: number) {
    this.video.preservesPitch = true;
    this.video.defaultPlaybackRate = factor;
    this.video.playbackRate = factor;
  }

  shift(step: 1 | -1): void {
    this.speed = nextSpeed(this.speed, step);
  }

  play(): void {
    // A browser that wants to be asked for sound first gets the picture without it.
    void this.video.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError" && !this.video.muted) {
        this.video.muted = true;
        void this.video.play().catch(() => undefined);
      }
    });
  }

  pause(): void {
    if (this.isPaused) return;
    this.video.pause();
    if (IS_GECKO) this.settle();
  }

  toggle(): void {
    if (this.isPaused) this.play();
    else this.pause();
  }

  /** To the middle of the next picture, or another one: neither edge of it is hit by rounding. */
  step(pictures: number): void {
    this.pause();
    const { video } = this;
    const { seekable } = video;
    const last = seekable.length > 0 ? seekable.end(seekable.length - 1) - 1 / this.fps : Infinity;
    const from = this.stepped ?? this.begins();
    const begins = Math.max(0, Math.min(last, from + pictures / this.fps));
    const place = this.near(begins + 0.5 / this.fps, pictures < 0);
    this.stepped = place - 0.5 / this.fps;
    video.currentTime = place;
  }

  /** Where there is something to be seen. */
  protected near(place: number, _isBack: boolean): number {
    return place;
  }

  /** The picture at a place has come. */
  protected seen(_place: number): void {}

  /** Where a picture begins, the last that was told of; that of the one that was stepped to, as long as it is not seen; and the
   * place that was gone to at last. */
  private shown: number | null = null;
  private stepped: number | null = null;
  private sentTo: number | null = null;

  /** Whoever was sent elsewhere steps from there. */
  private sent(place: number): void {
    this.sentTo = place;
    if (this.stepped !== null && Math.abs(this.stepped + 0.5 / this.fps - place) > SAME_S) this.stepped = null;
  }

  /** Where the picture begins that is seen. */
  private begins(): number {
    const { currentTime } = this.video;
    if (this.shown === null || !IS_GECKO) return this.shown ?? currentTime;
    return this.shown + Math.floor((currentTime - this.shown) * this.fps + 0.001) / this.fps;
  }

  /** Firefox still shows a picture or two when it has stopped: it is brought back to the one where it stands. */
  private settle(): void {
    const { video } = this;
    const begins = this.begins();
    const place = begins + 0.5 / this.fps;
    // At the end of all that there is there may be nothing behind it.
    const isThere = video.buffered.length > 0 && place < video.buffered.end(video.buffered.length - 1);
    if (video.seeking || !isThere) return;
    this.stepped = begins;
    video.currentTime = place;
  }

  /** A file is loaded, to begin at a place of it. */
  protected beginsWith(url: string, place: number | null): void {
    this.video.src = url;
    if (!IS_GECKO) return;
    // Its first picture begins there, whichever is shown first.
    this.shown = 0;
    this.sentTo = place;
    if (place !== null) this.video.currentTime = place;
  }

  /** A browser that tells of each picture tells where it begins, though somewhat later than it shows it. */
  private watch(): void {
    const { video } = this;
    if (!video.requestVideoFrameCallback) {
      video.addEventListener("seeked", () => (this.stepped = null));
      return;
    }
    video.requestVideoFrameCallback((_, { mediaTime }) => {
      const isPlace = this.sentTo !== null && Math.abs(mediaTime - this.sentTo) < SAME_S;
      if (!IS_GECKO || !(isPlace || video.paused || video.seeking)) this.shown = mediaTime;
      if (!video.seeking) this.stepped = null;
      this.seen(mediaTime);
      this.watch();
    });
  }
}
