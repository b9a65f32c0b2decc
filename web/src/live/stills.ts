/**
 * The window of a channel where the browser cannot play what is recorded: in keyframes, which the server makes pictures of.
 *
 * Time goes on here by the clock, so that everything can be looked for, marked and saved all the same.
 */

import type { Span } from "../store";
import { nextSpeed, type Window } from "./picture";

const WIDTH = 640;
/** How often another picture is asked for. */
const EVERY_MS = 400;
/** How near to the live edge one is live. */
const LIVE_MS = 300;
const OLDEST_MARGIN_MS = 1500;

export class Stills implements Window {
  follows = true;
  trouble = false;
  readonly isWaiting = false;
  readonly sounds = [];
  sound = 0;
  isLed = false;
  isResting = false;
  fps = 30;

  /** Where it was, and when. */
  private from = { at: 0, since: 0 };
  private rate = 1;
  private stands = false;
  private asked = "";
  private isLoading = false;
  private readonly timer = setInterval(() => this.show(), EVERY_MS);

  constructor(
    private readonly image: HTMLImageElement,
    private readonly channel: string,
    private readonly window: () => Span | null,
    private readonly changed: () => void,
  ) {
    image.onload = () => this.loaded(false);
    image.onerror = () => this.loaded(true);
    this.show();
  }

  get time(): number | null {
    const window = this.window();
    if (!window) return null;
    if (this.follows) return window.to;
    const { at, since } = this.from;
    return Math.min(window.to, this.stands ? at : at + (performance.now() - since) * this.rate);
  }

  get isPaused(): boolean {
    return this.stands;
  }

  get speed(): number {
    return this.rate;
  }

  set speed(factor: number) {
    this.goTo(this.time);
    this.rate = factor;
    if (factor < 1) this.follows = false;
    this.changed();
  }

  shift(step: 1 | -1): void {
    this.speed = nextSpeed(this.rate, step);
  }

  play(): void {
    this.goTo(this.time);
    this.stands = false;
    this.changed();
  }

  pause(): void {
    this.goTo(this.time);
    this.follows = false;
    this.stands = true;
    this.changed();
  }

  toggle(): void {
    if (this.stands) this.play();
    else this.pause();
  }

  step(pictures: number): void {
    this.pause();
    this.by(pictures / this.fps);
  }

  by(seconds: number): void {
    const { time } = this;
    const window = this.window();
    if (time === null || !window) return;
    const at = time + seconds * 1000;
    if (seconds >= 1 && at >= window.to - LIVE_MS) this.toLive();
    else this.seek(at);
  }

  seek(ms: number): void {
    this.follows = false;
    this.goTo(ms);
    this.show();
    this.changed();
  }

  toLive(): void {
    this.follows = true;
    this.stands = false;
    this.rate = 1;
    this.show();
    this.changed();
  }

  tend(oldest: number): boolean {
    const { time } = this;
    if (time === null || this.follows || time >= oldest) return false;
    this.seek(oldest + OLDEST_MARGIN_MS);
    return true;
  }

  keepTo(other: Window): void {
    if (other.time !== null) this.goTo(other.time);
    this.stands = other.isPaused;
    this.rate = other.speed;
    this.follows = other.follows;
  }

  end(): void {
    clearInterval(this.timer);
    this.image.onload = null;
    this.image.onerror = null;
    this.image.removeAttribute("src");
  }

  private goTo(at: number | null): void {
    this.from = { at: at ?? 0, since: performance.now() };
  }

  /** Asks for the picture of the moment, when the last one is there. */
  private show(): void {
    const { time } = this;
    if (time === null || this.isLoading || this.isResting) return;
    const url = `/thumbnails/${encodeURIComponent(this.channel)}/${Math.floor(time)}.jpg?width=${WIDTH}`;
    if (url === this.asked) return;
    this.asked = url;
    this.isLoading = true;
    this.image.src = url;
  }

  /** Without ffmpeg there are none. */
  private loaded(isMissing: boolean): void {
    this.isLoading = false;
    this.image.hidden = isMissing;
    this.changed();
  }
}
