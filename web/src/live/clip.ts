/**
 * A replay in a video element, from its first picture to its last: its MP4, or where the browser cannot play that, a small
 * picture that the server makes of it.
 */

import type Hls from "hls.js";

import { playsPreviews } from "./codecs";
import type { Edits } from "./edits";
import { forPreviews } from "./hls";
import { IS_GECKO, Picture } from "./picture";

export interface Addresses {
  mp4: string;
  preview: string;
}

export class Clip extends Picture {
  /** What is shown of it. */
  shows: "all" | "preview" | "nothing" = "all";

  private hls: Hls | null = null;
  private addresses: Addresses | null = null;
  /** What of the file is to be seen, where the browser does not know. */
  private edits: Edits | null = null;

  constructor(video: HTMLVideoElement, changed: () => void, silenced: () => void) {
    super(video, changed, silenced);
    video.addEventListener("timeupdate", changed);
    video.addEventListener("error", () => {
      if (video.error !== null) this.failed();
    });
    // Some browsers play the sound alone of what they cannot show; GStreamer's WebKit knows the size only with a picture.
    video.addEventListener("loadeddata", () => {
      if (video.videoWidth === 0) this.failed();
    });
  }

  load(addresses: Addresses): void {
    this.addresses = addresses;
    this.shows = "all";
    if (IS_GECKO) void this.openByEdits(addresses);
    else this.open(addresses, null);
  }

  get time(): number {
    const { currentTime } = this.video;
    return this.edits?.timeOf(currentTime) ?? currentTime;
  }

  get duration(): number {
    if (this.edits) return this.edits.duration;
    return Number.isFinite(this.video.duration) ? this.video.duration : 0;
  }

  seek(seconds: number): void {
    // Not behind the last picture: a browser would show nothing there.
    const time = Math.max(0, Math.min(seconds, this.duration - 0.5 / this.fps));
    this.video.currentTime = this.edits?.placeOf(time) ?? time;
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

  protected override near(place: number, isBack: boolean): number {
    return this.edits?.near(place, isBack, 1 / this.fps) ?? super.near(place, isBack);
  }

  protected override seen(place: number): void {
    const near = this.edits?.near(place) ?? place;
    if (near !== place) this.video.currentTime = near;
  }

  private async openByEdits(addresses: Addresses): Promise<void> {
    const edits = await import("./edits").then(({ editsOf }) => editsOf(addresses.mp4)).catch(() => null);
    if (this.addresses === addresses) this.open(addresses, edits);
  }

  private open({ mp4 }: Addresses, edits: Edits | null): void {
    this.begin(() => {
      this.edits = edits;
      // It would go nowhere beyond the length of the first entry.
      this.beginsWith(edits ? `${mp4}&edits=none` : mp4, edits?.placeOf(0) ?? null);
    });
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
    this.edits = null;
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
