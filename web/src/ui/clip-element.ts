/** `<lookback-clip>`: the picture of a replay. One that was trimmed has another address, and is loaded anew. */

import type { App } from "../app";
import { Clip, type Addresses } from "../live/clip";

export interface ClipModel {
  app: App;
  addresses: Addresses;
  fps: number;
}

export class ClipElement extends HTMLElement {
  private readonly video = document.createElement("video");
  private clip: Clip | null = null;
  private shown = "";
  private app: App | null = null;

  set model({ app, addresses, fps }: ClipModel) {
    this.app = app;
    if (this.shown !== addresses.mp4) {
      this.shown = addresses.mp4;
      this.clip ??= new Clip(this.video, app.changed, () => app.silence());
      this.clip.load(addresses);
    }
    this.video.muted = app.isMuted;
    this.video.volume = app.volume;
    if (this.clip) this.clip.fps = fps;
    app.clip = this.clip;
  }

  connectedCallback(): void {
    this.video.playsInline = true;
    this.video.preload = "auto";
    this.video.tabIndex = -1;
    this.video.setAttribute("aria-hidden", "true");
    this.append(this.video);
  }

  disconnectedCallback(): void {
    this.clip?.end();
    if (this.app?.clip === this.clip && this.app) this.app.clip = null;
    this.clip = null;
    this.shown = "";
  }
}

customElements.define("lookback-clip", ClipElement);
