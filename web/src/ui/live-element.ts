/** `<lookback-live>`: the picture of a channel, which is loaded when there is one that this browser can show. */

import type { App } from "../app";
import { playable } from "../live/codecs";
import { Live } from "../live/live";

export interface LiveModel {
  app: App;
  channel: string;
  /** Whether keys and buttons mean this one, and its sound is heard. */
  isMain: boolean;
  isResting: boolean;
}

export class LiveElement extends HTMLElement {
  private readonly video = document.createElement("video");
  private live: Live | null = null;
  private loaded = "";
  private rests = false;
  private app: App | null = null;

  set model(model: LiveModel) {
    this.app = model.app;
    this.load(model);
    const { app, isMain, isResting } = model;
    this.video.muted = app.isMuted || !isMain || isResting;
    this.video.volume = app.volume;
    if (!this.live) return;
    this.live.fps = app.store.channel(model.channel)?.video?.fps ?? 30;
    if (isMain) app.live = this.live;
    else if (app.live && !isResting) this.live.keepTo(app.live);
    if (isResting !== this.rests) {
      this.rests = isResting;
      this.live.isResting = isResting;
    }
  }

  connectedCallback(): void {
    this.video.playsInline = true;
    this.video.disablePictureInPicture = false;
    this.video.setAttribute("aria-hidden", "true");
    this.video.tabIndex = -1;
    this.append(this.video);
  }

  disconnectedCallback(): void {
    this.end();
  }

  private load({ app, channel }: LiveModel): void {
    const known = app.store.channel(channel);
    const isThere = known && playable(known) === "yes" && app.store.segments(channel).length > 0;
    // Of a channel that was cleared what there is goes on to be shown, until something new is recorded.
    const wanted = isThere ? `${app.store.era} ${channel} ${known.video?.codec}` : "";
    if (wanted === this.loaded || (!wanted && this.loaded.includes(` ${channel} `))) return;
    this.end();
    this.loaded = wanted;
    const url = `/hls/${encodeURIComponent(channel)}/index.m3u8`;
    this.live = wanted ? new Live(this.video, url, app.changed) : null;
  }

  private end(): void {
    this.live?.end();
    if (this.app?.live === this.live && this.app) this.app.live = null;
    this.live = null;
    this.loaded = "";
  }
}

customElements.define("lookback-live", LiveElement);
