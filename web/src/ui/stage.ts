/** What is watched: the channel or a replay, the buttons below it, and the timeline. */

import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../app";
import { clock, length, speed } from "../format";
import { codecName, playable, wayOf } from "../live/codecs";
import { Picture, SPEEDS } from "../live/picture";
import type { Channel } from "../protocol";
import { strings } from "../strings";
import type { Model, TimelineElement } from "../timeline/element";
import { icon } from "./icons";
import type { LiveModel } from "./live-element";
import { marks } from "./marks";
import { players, why } from "./players";
import { viewer, viewerPicture } from "./viewer";

export function stage(app: App): TemplateResult {
  const isViewing = app.replay !== null;
  return html`<section class="stage ${isViewing ? "viewing" : ""}" aria-label=${strings.picture}>
    <div class="screen">
      ${wall(app)} ${app.replay ? viewerPicture(app, app.replay) : overlay(app)}
    </div>
    ${transport(app)} ${app.replay ? viewer(app, app.replay) : nothing} ${timeline(app)} ${isViewing ? nothing : marks(app)}
  </section>`;
}

/** One channel, or all beside each other. */
function wall(app: App): TemplateResult {
  const isResting = app.replay !== null;
  const shown = app.isWall ? app.store.channels.map(({ name }) => name) : [app.channel].filter(Boolean);
  return html`<div class="wall" ?hidden=${isResting} data-count=${shown.length}>
    ${shown.map((channel) => {
      const model: LiveModel = { app, channel, isMain: channel === app.channel, isResting };
      const element = html`<lookback-live .model=${model}></lookback-live>`;
      if (!app.isWall) return element;
      return html`<button class="tile" aria-pressed=${channel === app.channel ? "true" : "false"} @click=${() => app.choose(channel)}>
        ${element}<span class="caption">${channel}</span>
      </button>`;
    })}
  </div>`;
}

function overlay(app: App): TemplateResult | typeof nothing {
  const channel = app.store.channel(app.channel);
  if (!channel) return nothing;
  if (!channel.window) return message(strings.nothingYet, strings.nothingYetText);
  const others = players(app, channel.name, `/hls/${encodeURIComponent(channel.name)}/index.m3u8`);
  if (wayOf(channel, app.makesPreviews === true) === "stills") return html`${badge(app)} ${stills(app, channel, others)}`;
  if (!app.live) return message(strings.starting);
  if (app.live.trouble) return message(strings.pictureTrouble);
  // Where nothing comes in any more, nothing is waited for.
  if (app.live.isWaiting && channel.state === "recording") return message(strings.pictureWaits);
  const isPreview = playable(channel) !== "yes";
  return html`${badge(app)} ${isPreview ? why(strings.preview, "", strings.previewText(codecName(channel)), others) : nothing}`;
}

function message(title: string, text = ""): TemplateResult {
  return html`<div class="message" role="status"><strong>${title}</strong>${text ? html`<p>${text}</p>` : nothing}</div>`;
}

/** Why pictures stand still, and what to do about it. */
function stills(app: App, channel: Channel, others: TemplateResult): TemplateResult {
  const [title, text] =
    playable(channel) === "no-mse"
      ? [strings.noMse, strings.noMseText]
      : [strings.unplayable(codecName(channel)), app.makesPreviews === false ? strings.noPreviewText : strings.unplayableText];
  return why(strings.stills, title, text, others, true);
}

/** Live, or how far behind: a button that leads back. */
function badge(app: App): TemplateResult | typeof nothing {
  const { live } = app;
  const window = app.window();
  if (!live || !window) return nothing;
  if (app.isLive) {
    const isRecording = app.store.channel(app.channel)?.state === "recording";
    return html`<span class="badge ${isRecording ? "live" : ""}" id="badge">${isRecording ? strings.live : strings.channelStates[app.store.channel(app.channel)!.state]}</span>`;
  }
  const at = live.time;
  if (at === null) return nothing;
  return html`<button class="badge behind" id="badge" title="${strings.toLive} (End)" @click=${() => toLive(app)}>
    −${length((window.to - at) / 1000)}<span class="clock">${clock(at)}</span>
  </button>`;
}

function transport(app: App): TemplateResult {
  const { picture } = app;
  const isPaused = picture?.isPaused ?? true;
  const button = (id: string, name: Parameters<typeof icon>[0], label: string, key: string, run: () => void): TemplateResult =>
    html`<button id=${id} title="${label} (${key})" aria-label=${label} ?disabled=${!picture} @click=${run}>${icon(name)}</button>`;
  return html`<div class="transport" role="group">
    <div class="group">
      <button id="back-10" class="wide" title="${strings.backBy(10)} (J)" aria-label=${strings.backBy(10)} ?disabled=${!picture} @click=${() => picture?.by(-10)}>
        ${icon("back")}<span aria-hidden="true">10 s</span>
      </button>
      ${button("step-back", "stepBack", strings.stepBack, ",", () => picture?.step(-1))}
      <button id="play" class="primary" title="${isPaused ? strings.play : strings.pause} (K)" aria-label=${isPaused ? strings.play : strings.pause} ?disabled=${!picture} @click=${() => picture?.toggle()}>
        ${icon(isPaused ? "play" : "pause")}
      </button>
      ${button("step-forward", "stepForward", strings.stepForward, ".", () => picture?.step(1))}
      ${button("forward-10", "forward", strings.forwardBy(10), "L", () => picture?.by(10))}
    </div>
    <div class="group speeds" role="group" aria-label=${strings.speed}>
      ${SPEEDS.map((factor) => {
        const isSet = picture !== null && Math.abs(picture.speed - factor) < 0.001;
        return html`<button class="chip" data-speed=${factor} aria-pressed=${isSet ? "true" : "false"} ?disabled=${!picture} @click=${() => app.setSpeed(factor)}>${speed(factor)}</button>`;
      })}
    </div>
    <div class="group end">
      ${app.replay
        ? nothing
        : html`<button id="live" class="live-button" aria-pressed=${app.isLive ? "true" : "false"} title="${strings.toLive} (End)" ?disabled=${!app.live} @click=${() => toLive(app)}>
            <span class="dot" aria-hidden="true"></span>${strings.live}
          </button>`}
      ${sound(app)}
      <button id="fullscreen" class="quiet" title="${strings.fullscreen} (F)" aria-label=${strings.fullscreen} @click=${() => fullscreen(app)}>${icon("fullscreen")}</button>
    </div>
  </div>`;
}

function sound(app: App): TemplateResult {
  const label = app.isMuted ? strings.soundOn : strings.soundOff;
  const volume = (event: Event): void => {
    const value = (event.target as HTMLInputElement).valueAsNumber;
    app.setSound(value === 0, value === 0 ? app.volume : value);
  };
  return html`<button id="sound" class="quiet ${app.isMuted ? "off" : ""}" title="${label} (M)" aria-label=${label} @click=${() => app.setSound(!app.isMuted)}>
      ${icon(app.isMuted ? "mute" : "sound")}
    </button>
    ${app.replay ? nothing : sounds(app)}
    <input class="volume" type="range" min="0" max="1" step="0.05" aria-label=${strings.volume} .value=${String(app.isMuted ? 0 : app.volume)} @input=${volume} />`;
}

/** Where OBS records the microphone beside the game, for one. */
function sounds({ live }: App): TemplateResult | typeof nothing {
  if (!live || live.sounds.length < 2) return nothing;
  const choose = (event: Event): void => void (live.sound = (event.target as HTMLSelectElement).selectedIndex);
  return html`<select id="sounds" aria-label=${strings.sounds} title=${strings.sounds} @change=${choose}>
    ${live.sounds.map((name, index) => html`<option ?selected=${index === live.sound}>${strings.soundOf(name)}</option>`)}
  </select>`;
}

export function fullscreen({ picture }: App): void {
  const screen = document.querySelector(".screen");
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (screen?.requestFullscreen) void screen.requestFullscreen().catch(() => undefined);
  else if (picture instanceof Picture) picture.fillScreen();
}

/** Also the timeline comes back, wherever somebody has looked. */
export function toLive(app: App): void {
  app.backToLive();
  timelineElement()?.comeBack();
}

export function timelineElement(): TimelineElement | null {
  return document.querySelector("lookback-timeline");
}

function timeline(app: App): TemplateResult {
  const channel = app.store.channel(app.channel);
  const model: Model = {
    channel: app.channel,
    window: () => app.window(),
    segments: () => app.store.segments(app.channel),
    replays: () => app.replaySpans(),
    marks: app.marks,
    position: () => app.moment,
    isLive: app.replay === null && (app.live === null || app.isLive),
    seek: (moment) => {
      app.view(null);
      app.live?.seek(moment);
    },
    toLive: () => app.backToLive(),
    by: (seconds) => app.live?.by(seconds),
    mark: (which, moment) => app.mark(which, moment),
  };
  const zoom = (way: "in" | "out" | "whole", name: "zoomIn" | "zoomOut" | "whole", label: string): TemplateResult =>
    html`<button class="quiet small" title=${label} aria-label=${label} @click=${() => timelineElement()?.zoom(way)}>${icon(name)}</button>`;
  return html`<div class="timeline" ?hidden=${!channel?.window}>
    <lookback-timeline .model=${model}></lookback-timeline>
    <div class="under">
      <span class="length">${strings.window(length(channel?.window?.duration_s ?? 0))}</span>
      ${channel && app.mayChange ? recording(app, channel) : nothing}
      ${zoom("out", "zoomOut", strings.zoomOut)} ${zoom("whole", "whole", strings.wholeWindow)} ${zoom("in", "zoomIn", strings.zoomIn)}
    </div>
  </div>`;
}

/** Stops and goes on recording, and forgets. */
function recording(app: App, { name, state }: Channel): TemplateResult {
  const command = state === "paused" ? "resume" : "pause";
  const label = strings.channelActions[command];
  return html`<button id="recording" class="quiet small" title=${label} aria-label=${label} @click=${() => void app.tellChannel(name, command)}>
      ${icon(state === "paused" ? "record" : "pause")}
    </button>
    <button id="clear" class="quiet small danger" title=${strings.channelActions.clear} aria-label=${strings.channelActions.clear} @click=${() => app.show({ kind: "clear", channel: name })}>
      ${icon("trash")}
    </button>`;
}
