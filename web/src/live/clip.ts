/**
 * A replay in a video element, from its first picture to its last: its MP4, or where the browser cannot play that, a small
 * picture that the server makes of it.
 */

import type Hls from "hls.js";

import { playsPreviews } from "./codecs";
import { forPreviews } from "./hls";
import { Picture } from "./picture";

export interface Addresses {
  mp4: string;
  preview: string;
}

export class Clip extends Picture {
  /** What is shown of it. */
  shows: "all" | "preview" | "nothing" = "all";

  private hls: Hls | null = null;
  private addresses: Addresses | null = null;

  constructor(video: HTMLVideoElement, changed: () => void, silenced: () => void) {
    super(video, changed, silenced);
    video.addEventListener("timeupdate", changed);
    video.addEventListener("error", () => {
      if (video.error !== null) this.failed();
    });
    // Some browsers play the sound alone of what they cannot show.
    video.addEventListener("loadedmetadata", () => {
      if (video.videoWidth === 0) this.failed();
    });
  }

  load(addresses: Addresses): void {
    this.addresses = addresses;
    this.shows = "all";
    this.begin(() => (this.video.src = addresses.mp4));
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
    this.addresses = null;
    this.unload();
  }

  private failed(): void {
    const { addresses, shows } = this;
    if (!addresses || shows === "nothing") return;
    this.shows = shows === "all" && playsPreviews() ? "preview" : "nothing";
    this.unload();
    if (this.shows === "preview") void this.preview(addresses);
    this.changed();
  }

  private async preview(addresses: Addresses): Promise<void> {
    const { default: Player } = await import("hls.js/light");
    if (this.addresses !== addresses) return;
    this.begin(() => {
      if (!Player.isSupported()) return void (this.video.src = addresses.preview);
      const hls = new Player(forPreviews);
      hls.on(Player.Events.ERROR, (_, { fatal }) => {
        if (fatal) this.failed();
      });
      this.hls = hls;
      hls.loadSource(addresses.preview);
      hls.attachMedia(this.video);
    });
  }

  /** At the speed that was chosen. */
  private begin(load: () => void): void {
    const { speed } = this;
    this.hls?.destroy();
    this.hls = null;
    load();
    this.speed = speed;
    this.play();
  }

  private unload(): void {
    this.hls?.destroy();
    this.hls = null;
    this.video.removeAttribute("src");
    this.video.load();
  }
}
