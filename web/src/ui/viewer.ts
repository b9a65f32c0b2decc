/** A replay that is watched: its place and trim, and what can be done with it. */

import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../app";
import { bytes, length, place } from "../format";
import type { Replay } from "../protocol";
import { strings } from "../strings";
import type { ClipModel } from "./clip-element";
import { IS_DOCK } from "./dock";
import { icon } from "./icons";
import { players, why } from "./players";

export function viewerPicture(app: App, replay: Replay): TemplateResult {
  if (replay.url === null) return html`<div class="message"><strong>${strings.notOneStream}</strong></div>`;
  const angle = app.angle === null ? "" : `&channel=${encodeURIComponent(app.angle)}`;
  const query = `?rev=${replay.in_s}-${replay.out_s}${angle}`;
  const model: ClipModel = {
    app,
    addresses: { mp4: file(replay, "mp4") + query, preview: `/replays/${encodeURIComponent(replay.id)}/preview.m3u8${query}` },
    fps: app.store.channel(replay.channel)?.video?.fps ?? 30,
  };
  return html`<lookback-clip .model=${model}></lookback-clip>
    ${app.clip?.shows === "preview" ? why(strings.preview, "", strings.previewReplayText, players(app, replay.name, file(replay, "ts"))) : nothing}
    ${app.clip?.shows === "nothing"
      ? html`<img class="still" src="${file(replay, "jpg")}?rev=${replay.poster_s}" alt="" @error=${hide} />
          <div class="message low"><strong>${strings.unplayableReplay}</strong><p>${strings.unplayableReplayText}</p>${players(app, replay.name, file(replay, "ts"))}</div>`
      : nothing}
    <button class="badge back" id="back-to-live" title="${strings.backToLive} (Esc)" @click=${() => app.backToLive()}>
      ${icon("arrow")}${strings.backToLive}
    </button>`;
}

/** Below the picture. */
export function viewer(app: App, replay: Replay): TemplateResult {
  const at = app.clip?.time ?? 0;
  const duration = app.clip?.duration || replay.duration_s;
  const seek = (event: Event): void => app.clip?.seek((event.target as HTMLInputElement).valueAsNumber);
  return html`<div class="viewer">
    <div class="place">
      <output>${place(at)}</output>
      <input id="position" type="range" min="0" max=${duration} step="0.01" aria-label=${strings.position} aria-valuetext=${place(at)} .value=${String(at)} @input=${seek} />
      <output>${place(duration)}</output>
    </div>
    ${app.mayChange ? fields(app, replay) : html`<h2 class="title">${replay.name}</h2>`}
    <div class="actions">
      ${angles(app, replay)}
      <a class="button primary" id="download" href=${file(replay, "mp4")} ?download=${!IS_DOCK} target=${IS_DOCK ? "_blank" : nothing}>${icon("download")}${strings.download}</a>
      ${app.mayChange ? changes(app, replay) : nothing}
    </div>
  </div>`;
}

/** Without ffmpeg there are no posters: what lies below is seen then. */
export function hide(event: Event): void {
  (event.target as HTMLElement).hidden = true;
}

export function file(replay: Replay, ending: "mp4" | "ts" | "jpg"): string {
  return `/replays/${encodeURIComponent(replay.id)}.${ending}`;
}

/** Of several channels, which is watched. */
function angles(app: App, replay: Replay): TemplateResult | typeof nothing {
  if (replay.angles.length < 2) return nothing;
  const shown = app.angle ?? replay.channel;
  return html`<div class="group" role="group" aria-label=${strings.angles}>
    ${replay.angles.map(
      ({ channel }) => html`<button class="chip" aria-pressed=${channel === shown ? "true" : "false"} @click=${() => app.watchAngle(channel)}>${channel}</button>`,
    )}
  </div>`;
}

function fields(app: App, replay: Replay): TemplateResult {
  const rename = (event: Event): void => {
    const name = (event.target as HTMLInputElement).value.trim();
    if (name && name !== replay.name) void app.edit(replay.id, { name });
  };
  const retag = (event: Event): void => {
    const tags = (event.target as HTMLInputElement).value.split(",");
    void app.edit(replay.id, { tags: tags.map((tag) => tag.trim()).filter(Boolean) });
  };
  return html`<div class="fields">
    <label><span>${strings.name}</span><input id="replay-name" type="text" maxlength="200" autocomplete="off" .value=${replay.name} @change=${rename} /></label>
    <label><span>${strings.tags}</span><input id="replay-tags" type="text" autocomplete="off" placeholder=${strings.tagsPlaceholder} .value=${replay.tags.join(", ")} @change=${retag} /></label>
  </div>`;
}

function changes(app: App, replay: Replay): TemplateResult {
  const isTrimmed = replay.in_s > 0.05 || replay.length_s - replay.out_s > 0.05;
  const trim = (part: object): void => void app.edit(replay.id, part);
  // What is on the screen when a button is pressed, which was drawn a while before.
  const here = (): number => replay.in_s + (app.clip?.time ?? 0);
  const lock = replay.locked ? strings.unlock : strings.lock;
  return html`
    <button id="on-air" @click=${() => app.putOnAir(replay.id)} title="${strings.putOnAir} (P)">${icon("onAir")}${strings.putOnAir}</button>
    <button id="convert" ?disabled=${replay.growing} @click=${() => void app.openConvert(replay.id)}>${icon("convert")}${strings.share}</button>
    <span class="group" role="group" aria-label=${strings.trim}>
      <button class="chip" id="trim-in" ?disabled=${replay.locked} title="${strings.trimIn} (I)" @click=${() => trim({ in_s: here() })}>${strings.trimIn}</button>
      <button class="chip" id="trim-out" ?disabled=${replay.locked} title="${strings.trimOut} (O)" @click=${() => trim({ out_s: here() })}>${strings.trimOut}</button>
      ${isTrimmed
        ? html`<button class="chip" @click=${() => trim({ in_s: 0, out_s: replay.length_s })} title=${strings.trimmed(length(replay.duration_s), length(replay.length_s))}>${strings.trimReset}</button>`
        : nothing}
    </span>
    <button class="chip" ?disabled=${replay.growing} @click=${() => void app.split(replay.id, here())}>${strings.split}</button>
    <button class="chip" ?disabled=${replay.growing} @click=${() => void app.duplicate(replay.id)}>${strings.duplicate}</button>
    <button class="chip" @click=${() => trim({ poster_s: here() })}>${strings.setPoster}</button>
    <button class="quiet" aria-pressed=${replay.locked ? "true" : "false"} title="${lock}. ${strings.lockTip}" aria-label=${strings.locked} @click=${() => trim({ locked: !replay.locked })}>
      ${icon(replay.locked ? "lock" : "unlock")}
    </button>
    <button class="quiet danger" id="delete" ?disabled=${replay.locked} title=${strings.delete} aria-label=${strings.delete} @click=${() => app.delete(replay)}>${icon("trash")}</button>
    <span class="size">${replay.bytes === null ? nothing : bytes(replay.bytes)}</span>`;
}
