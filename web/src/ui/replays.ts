/** The replays, to be found, watched, played on air, taken along, and joined to a reel. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { App } from "../app";
import { clock, length } from "../format";
import type { Replay } from "../protocol";
import { strings } from "../strings";
import { IS_DOCK } from "./dock";
import { icon } from "./icons";
import { file, hide } from "./viewer";

const DRAGGED = "application/x-lookback-replay";

export function replays(app: App): TemplateResult {
  const found = matching(app.replays, app.search);
  return html`<section class="panel replays" aria-labelledby="replays-title">
    <div class="head">
      <h2 id="replays-title">${strings.replays}<span class="count">${app.replays.length || ""}</span></h2>
      ${app.replays.length > 0 ? search(app) : nothing}
    </div>
    ${app.replays.length === 0
      ? html`<div class="empty"><strong>${strings.noReplays}</strong><p>${app.mayChange ? strings.noReplaysText : ""}</p></div>`
      : found.length === 0
        ? html`<p class="empty">${strings.nothingFound}</p>`
        : html`<ul class="cards">
            ${repeat(found, ({ id }) => id, (replay) => card(app, replay))}
          </ul>`}
    ${reel(app)}
  </section>`;
}

/** Those in whose name or tags each word occurs. */
export function matching(replays: Replay[], search: string): Replay[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const has = ({ name, tags }: Replay): boolean => {
    const text = [name, ...tags].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return replays.filter(has);
}

function search(app: App): TemplateResult {
  const change = (event: Event): void => {
    app.search = (event.target as HTMLInputElement).value;
    app.changed();
  };
  return html`<label class="search">${icon("search")}
    <input id="search" type="search" aria-label=${strings.search} placeholder=${strings.search} .value=${app.search} @input=${change} />
  </label>`;
}

function card(app: App, replay: Replay): TemplateResult {
  const isOpen = app.viewing === replay.id;
  const drag = (event: DragEvent): void => event.dataTransfer?.setData(DRAGGED, replay.id);
  const time = length(replay.duration_s);
  // One that is made anew when its first picture changes.
  const poster = `${file(replay, "jpg")}?rev=${replay.poster_s}`;
  return html`<li class="card ${isOpen ? "open" : ""}" draggable=${app.mayChange ? "true" : "false"} @dragstart=${drag}>
    <button class="poster" aria-label=${strings.open(replay.name, time)} aria-pressed=${isOpen ? "true" : "false"} @click=${() => app.view(isOpen ? null : replay.id)}>
      ${icon("film")}
      ${replay.url === null ? nothing : html`<img src=${poster} alt="" loading="lazy" @error=${hide} @load=${show} />`}
      <span class="duration">${time}</span>
    </button>
    <div class="about">
      <strong class="name" title=${replay.name}>${replay.name}</strong>
      <span class="when">${clock(Date.parse(replay.start))}${replay.angles.length > 1 ? ` · ${replay.angles.map(({ channel }) => channel).join(", ")}` : ""}${replay.growing ? ` · ${strings.growing}` : ""}</span>
      ${replay.tags.length > 0
        ? html`<span class="tags">${replay.tags.map((tag) => html`<button class="tag" @click=${() => app.find(tag)}>${tag}</button>`)}</span>`
        : nothing}
    </div>
    <div class="actions">
      ${replay.locked ? html`<span class="locked" role="img" aria-label=${strings.locked} title=${strings.lockTip}>${icon("lock")}</span>` : nothing}
      ${app.mayChange
        ? html`<button class="quiet small" title=${strings.putOnAir} aria-label=${strings.putOnAirOf(replay.name)} @click=${() => app.putOnAir(replay.id)}>${icon("onAir")}</button>
            <button class="quiet small" title=${strings.addToReel} aria-label="${strings.addToReel}: ${replay.name}" ?disabled=${replay.growing} @click=${() => app.addToReel(replay.id)}>${icon("add")}</button>`
        : nothing}
      <a class="button quiet small" title=${strings.download} aria-label=${strings.downloadOf(replay.name)} href=${file(replay, "mp4")} ?download=${!IS_DOCK} target=${IS_DOCK ? "_blank" : nothing}>${icon("download")}</a>
      ${app.mayChange
        ? html`<button class="quiet small danger" title=${strings.delete} aria-label=${strings.deleteOf(replay.name)} ?disabled=${replay.locked} @click=${() => app.delete(replay)}>${icon("trash")}</button>`
        : nothing}
    </div>
  </li>`;
}

function show(event: Event): void {
  (event.target as HTMLElement).hidden = false;
}

/** What is to be joined, in order; replays are dropped here. */
function reel(app: App): TemplateResult | typeof nothing {
  if (app.reel.length === 0 && app.replays.length < 2) return nothing;
  if (!app.mayChange) return nothing;
  const over = (event: DragEvent): void => {
    if (event.dataTransfer?.types.includes(DRAGGED)) event.preventDefault();
  };
  const drop = (to: number | null) => (event: DragEvent): void => {
    const id = event.dataTransfer?.getData(DRAGGED);
    if (!id) return;
    event.preventDefault();
    event.stopPropagation();
    app.reorder(id, to ?? app.reel.length);
  };
  const known = app.reel.map((id) => app.replays.find((replay) => replay.id === id)).filter((replay) => replay !== undefined);
  return html`<div class="reel ${known.length > 0 ? "filled" : ""}" @dragover=${over} @drop=${drop(null)}>
    ${known.length === 0
      ? html`<span class="hint">${icon("add")}${strings.reelHint}</span>`
      : html`<ol aria-label=${strings.reel} @pointerdown=${take} @pointermove=${(event: PointerEvent) => carry(app, event)}>
            ${repeat(
              known,
              ({ id }) => id,
              ({ id, name }, index) => html`<li data-replay=${id}>
                <button class="chip" aria-label=${strings.reelOrder(name, index + 1)} @keydown=${(event: KeyboardEvent) => reelKey(app, id, index, event)} @dragover=${over} @drop=${drop(index)}>${name}</button>
                <button class="quiet small" aria-label=${strings.takeOut(name)} title=${strings.takeOut(name)} @click=${() => app.reorder(id, null)}>${icon("close")}</button>
              </li>`,
            )}
          </ol>
          <div class="group">
            <button class="primary" id="make-reel" @click=${() => void app.makeReel()}>${strings.makeReel}</button>
            <button class="quiet small" aria-label=${strings.cancel} title=${strings.cancel} @click=${() => app.emptyReel()}>${icon("close")}</button>
          </div>`}
  </div>`;
}

/** What is dragged through the reel with a mouse or a finger; those of the system know no fingers. */
let carried: string | undefined;

function take(event: PointerEvent): void {
  const chip = event.target instanceof Element ? event.target.closest<HTMLElement>(".chip") : null;
  carried = chip?.closest<HTMLElement>("li")?.dataset["replay"];
  if (carried !== undefined) (event.currentTarget as Element).setPointerCapture(event.pointerId);
}

function carry(app: App, event: PointerEvent): void {
  const list = event.currentTarget as Element;
  const below = document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>(".reel li");
  const other = below?.dataset["replay"];
  if (carried === undefined || !list.hasPointerCapture(event.pointerId) || !below || !other) return;
  const [from, to] = [app.reel.indexOf(carried), app.reel.indexOf(other)];
  const { left, width } = below.getBoundingClientRect();
  // Only beyond its middle, so that what is wider does not come back at once.
  const isBeyond = to > from ? event.clientX > left + width / 2 : event.clientX < left + width / 2;
  if (from >= 0 && from !== to && isBeyond) app.reorder(carried, to);
}

function reelKey(app: App, id: string, index: number, event: KeyboardEvent): void {
  const to: Record<string, number | null> = { ArrowLeft: index - 1, ArrowUp: index - 1, ArrowRight: index + 1, ArrowDown: index + 1, Delete: null, Backspace: null };
  const place = to[event.key];
  if (place === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  app.reorder(id, place);
  // It is shown in its new place first.
  queueMicrotask(() => document.querySelector<HTMLElement>(`.reel [data-replay="${id}"] .chip`)?.focus());
}
