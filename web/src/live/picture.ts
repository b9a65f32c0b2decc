/** What a video element can be told, whatever it plays. */

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

export abstract class Picture {
  constructor(
    readonly video: HTMLVideoElement,
    protected readonly changed: () => void,
  ) {
    for (const event of ["play", "pause", "ratechange", "volumechange", "loadeddata", "seeked", "waiting", "playing"]) {
      video.addEventListener(event, changed);
    }
    this.watch();
  }

  /** Pictures in a second. */
  fps = 30;

  /** Goes so many seconds on, or back. */
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

  /** The next faster or slower one of the speeds. */
  shift(step: 1 | -1): void {
    const at = SPEEDS.reduce(
      (best, speed, index) =>
        Math.abs(speed - this.speed) < Math.abs(SPEEDS[best]! - this.speed) ? index : best,
      0,
    );
    this.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + step))]!;
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
    this.video.pause();
  }

  toggle(): void {
    if (this.isPaused) this.play();
    else this.pause();
  }

  /** To the middle of the next picture, or another one: neither edge of it is hit by rounding. */
  step(pictures: number): void {
    this.pause();
    const { video } = this;
    const from = video.seeking && this.stepped !== null ? this.stepped : (this.shown ?? video.currentTime);
    this.stepped = from + pictures / this.fps;
    video.currentTime = Math.max(0, this.stepped + 0.5 / this.fps);
  }

  /** Where the picture begins that is seen, and the one that was stepped to. */
  private shown: number | null = null;
  private stepped: number | null = null;

  /** A browser that tells of each picture tells where it begins. */
  private watch(): void {
    this.video.requestVideoFrameCallback?.((_, { mediaTime }) => {
      this.shown = mediaTime;
      this.watch();
    });
  }
}
