/** A replay in a video element: its MP4, from its first picture to its last. */

import { Picture } from "./picture";

export class Clip extends Picture {
  /** Whether the browser cannot play it. */
  isUnplayable = false;

  constructor(video: HTMLVideoElement, changed: () => void) {
    super(video, changed);
    video.addEventListener("timeupdate", changed);
    video.addEventListener("error", () => {
      this.isUnplayable = video.error !== null;
      changed();
    });
  }

  load(url: string): void {
    const { speed } = this;
    this.isUnplayable = false;
    this.video.src = url;
    this.speed = speed;
    this.play();
  }

  get time(): number {
    return this.video.currentTime;
  }

  get duration(): number {
    return Number.isFinite(this.video.duration) ? this.video.duration : 0;
  }

  seek(seconds: number): void {
    // Not behind the last picture: a browser would show nothing there.
    this.video.currentTime = Math.max(0, Math.min(seconds, this.duration - 0.5 / this.fps));
  }

  by(seconds: number): void {
    this.seek(this.time + seconds);
  }

  override toggle(): void {
    if (this.isPaused && this.time >= this.duration - 1.5 / this.fps) this.seek(0);
    super.toggle();
  }

  end(): void {
    this.video.removeAttribute("src");
    this.video.load();
  }
}
