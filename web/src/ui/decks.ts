/** The decks: what is on air, and how it is moved. */

import { html, nothing, type TemplateResult } from "lit";

import { api } from "../api";
import type { App } from "../app";
import { place, speed } from "../format";
import type { Deck } from "../protocol";
import { strings } from "../strings";
import { icon } from "./icons";

const SHUTTLE = [-4, -1, 0.25, 0.5, 1, 2, 4];
const LAST = [5, 10, 30];

export function decks(app: App): TemplateResult {
  return html`<section class="panel decks" aria-labelledby="decks-title">
    <div class="head">
      <h2 id="decks-title">${strings.decks}</h2>
      ${app.mayChange && app.store.obs?.state === "connected"
        ? html`<button class="primary chip" id="instant" title="${strings.instantReplayTip} (R)" ?disabled=${app.window() === null} @click=${() => void app.instantReplay()}>${strings.instantReplay}</button>`
        : nothing}
    </div>
    ${app.store.decks.map((deck) => panel(app, deck))}
  </section>`;
}

function panel(app: App, deck: Deck): TemplateResult {
  const isIdle = deck.state === "idle";
  const words = deck.state === "playing" && !deck.live ? strings.onAir : deck.live ? strings.deckLive : strings.deckStates[deck.state];
  const hint = strings.deckHint(`${location.origin}/decks/${encodeURIComponent(deck.name)}.ts`);
  return html`<article class="deck ${deck.state}" aria-label=${deck.name} title=${isIdle ? hint : ""}>
    <div class="line">
      <strong class="name">${deck.name}</strong>
      <span class="pill ${deck.state === "playing" && !deck.live ? "air" : ""}">${words}</span>
      ${deck.items > 1 ? html`<span class="item">${strings.deckItem(deck.item + 1, deck.items)}</span>` : nothing}
      ${isIdle ? nothing : html`<output class="at">${place(deck.position_s)} / ${place(deck.duration_s)}</output>`}
    </div>
    ${isIdle ? nothing : position(app, deck)} ${app.mayChange ? controls(app, deck, isIdle) : nothing}
  </article>`;
}

function position(app: App, deck: Deck): TemplateResult {
  const seek = (event: Event): void => {
    const to_s = (event.target as HTMLInputElement).valueAsNumber;
    void app.attempt(() => api.deck(deck.name, "seek", { to_s }));
  };
  return html`<input
    type="range"
    min="0"
    max=${Math.max(0.01, deck.duration_s)}
    step="0.01"
    aria-label=${strings.deckPosition(deck.name)}
    aria-valuetext=${place(deck.position_s)}
    .value=${String(deck.position_s)}
    ?disabled=${!app.mayChange}
    @change=${seek}
  />`;
}

function controls(app: App, deck: Deck, isIdle: boolean): TemplateResult {
  const tell = (command: string, body: object = {}) => () => void app.attempt(() => api.deck(deck.name, command, body));
  const isPlaying = deck.state === "playing";
  const button = (name: Parameters<typeof icon>[0], label: string, run: () => void): TemplateResult =>
    html`<button class="small" title=${label} aria-label="${label}: ${deck.name}" @click=${run}>${icon(name)}</button>`;
  const load = (seconds: number) => () => void app.load(deck.name, { channel: app.channel, last: `${seconds}s` });
  return html`
    ${isIdle
      ? nothing
      : html`<div class="line">
          ${button("back", strings.backBy(10), tell("seek", { by_s: -10 }))} ${button("stepBack", strings.stepBack, tell("step", { frames: -1 }))}
          <button class="small primary" title=${isPlaying ? strings.pause : strings.play} aria-label="${isPlaying ? strings.pause : strings.play}: ${deck.name}" @click=${tell(isPlaying ? "pause" : "play")}>
            ${icon(isPlaying ? "pause" : "play")}
          </button>
          ${button("stepForward", strings.stepForward, tell("step", { frames: 1 }))} ${button("forward", strings.forwardBy(10), tell("seek", { by_s: 10 }))}
          ${button("stop", strings.stop, tell("stop"))}
        </div>
        <div class="line" role="group" aria-label="${strings.shuttle}: ${deck.name}">
          ${SHUTTLE.map(
            (factor) =>
              html`<button class="chip" aria-pressed=${Math.abs(deck.speed - factor) < 0.001 ? "true" : "false"} @click=${tell("speed", { speed: factor })}>${speed(factor)}</button>`,
          )}
        </div>`}
    <div class="line">
      ${LAST.map(
        (seconds) =>
          html`<button class="chip" aria-label=${strings.replayLastOf(seconds, deck.name)} ?disabled=${app.window() === null} @click=${load(seconds)}>${strings.replayLast(seconds)}</button>`,
      )}
      <button class="chip" ?disabled=${app.window() === null} aria-label="${strings.live}: ${deck.name}" @click=${() => void app.load(deck.name, { channel: app.channel, live: true })}>${strings.live}</button>
    </div>`;
}
