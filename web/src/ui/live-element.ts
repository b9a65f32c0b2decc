/** `<lookback-live>`: the picture of a channel, moving where this browser can play it or a preview, else in keyframes. */

import type { App } from "../app";
import { playable, wayOf } from "../live/codecs";
import { Live } from "../live/live";
import type { Window } from "../live/picture";
import { Stills } from "../live/stills";

export interface LiveModel {
  app: App;
  channel: string;
  /** Whether keys and buttons mean this one, and its sound is heard. */
  isMain: boolean;
  isResting: boolean;
}

export class LiveElement extends HTMLElement {
  private readonly video = document.createElement("video");
  private readonly image = document.createElement("img");
  private shown: Window | null = null;
  private loaded = "";
  private app: App | null = null;

  set model(model: LiveModel) {
    this.app = model.app;
    this.load(model);
    const { app, isMain, isResting } = model;
    this.video.muted = app.isMuted || !isMain || isResting;
    this.video.volume = app.volume;
    if (!this.shown) return;
    this.shown.fps = app.store.channel(model.channel)?.video?.fps ?? 30;
    this.shown.isLed = !isMain;
    if (isMain) app.live = this.shown;
    else if (app.live && !isResting) this.shown.keepTo(app.live);
    this.shown.isResting = isResting;
  }

  connectedCallback(): void {
    this.video.playsInline = true;
    this.video.setAttribute("aria-hidden", "true");
    this.video.tabIndex = -1;
    this.image.alt = "";
    this.append(this.video, this.image);
  }

  disconnectedCallback(): void {
    this.end();
  }

  /** Of a channel that was cleared what there is goes on to be shown, until something new is recorded. */
  private load({ app, channel }: LiveModel): void {
    const known = app.store.channel(channel);
    const isThere = known?.window && (app.store.segments(channel).length > 0 || playable(known) !== "yes");
    const way = known ? wayOf(known, app.makesPreviews === true) : "stills";
    const wanted = isThere ? `${app.store.era} ${channel} ${known.video?.codec} ${known.audio.length} ${way}` : "";
    if (wanted === this.loaded || (!wanted && this.loaded.includes(` ${channel} `))) return;
    this.end();
    this.loaded = wanted;
    if (!known || !wanted) return;
    const moves = way !== "stills";
    this.video.hidden = !moves;
    this.image.hidden = moves;
    const url = `/hls/${encodeURIComponent(channel)}/${way === "preview" ? "preview" : "index"}.m3u8`;
    const form = way === "preview" ? "preview" : known.audio.length > 1 ? "apart" : "whole";
    this.shown = moves
      ? new Live(this.video, url, form, app.changed, () => app.silence())
      : new Stills(this.image, channel, () => app.store.window(channel), app.changed);
  }

  private end(): void {
    this.shown?.end();
    if (this.app?.live === this.shown && this.app) this.app.live = null;
    this.shown = null;
    this.loaded = "";
  }
}

customElements.define("lookback-live", LiveElement);
