/** The bar at the top: channels, memory, and what concerns the page itself. */

import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../app";
import { bytes } from "../format";
import type { Channel } from "../protocol";
import { remembered, type Theme } from "../remembered";
import { strings } from "../strings";
import { icon } from "./icons";

export function header(app: App): TemplateResult {
  return html`<header class="top">
    <h1 class="brand"><span class="logo" aria-hidden="true"></span>${strings.title}</h1>
    ${channels(app)} ${memory(app)} ${obs(app)}
    <div class="tools">
      ${app.access === "view" ? html`<span class="pill">${strings.viewOnly}</span>` : nothing}
      ${app.mayChange
        ? html`<button class="quiet" id="link" title=${strings.link.title} aria-label=${strings.link.title} @click=${() => void app.openLink()}>${icon("tablet")}</button>`
        : nothing}
      ${themeButton(app)}
      <button class="quiet" id="help" title="${strings.help} (?)" aria-label=${strings.help} @click=${() => app.show({ kind: "help" })}>
        ${icon("help")}
      </button>
    </div>
  </header>`;
}

function channels(app: App): TemplateResult {
  const { channels } = app.store;
  const tab = (channel: Channel): TemplateResult => {
    const state = strings.channelStates[channel.state];
    const isShown = channel.name === app.channel && !app.isWall;
    return html`<button
      class="channel ${channel.state}"
      aria-pressed=${isShown ? "true" : "false"}
      title="${channel.name}: ${state}${channel.source ? ` (${channel.source})` : ""}"
      @click=${() => {
        app.isWall = false;
        app.watch(channel.name);
      }}
    >
      <span class="dot" aria-hidden="true"></span>
      <span class="name">${channel.name}</span>
      <span class="state">${state}</span>
    </button>`;
  };
  return html`<nav class="channels" aria-label=${strings.channels}>
    ${channels.map(tab)}
    ${channels.length > 1
      ? html`<button
          class="channel"
          aria-pressed=${app.isWall ? "true" : "false"}
          title=${strings.allChannels}
          @click=${() => {
            app.isWall = !app.isWall;
            app.view(null);
          }}
        >
          ${icon("grid")}<span class="name">${strings.allChannels}</span>
        </button>`
      : nothing}
  </nav>`;
}

function memory(app: App): TemplateResult {
  const { limit_bytes: limit, used_bytes: used, held_bytes: held } = app.store.memory;
  const live = Math.max(0, used - held);
  const free = Math.max(0, limit - used);
  const words = strings.memoryParts(bytes(live), bytes(held), bytes(free));
  const share = (part: number): string => `${((100 * part) / Math.max(1, limit)).toFixed(2)}%`;
  return html`<div class="memory ${obs(app) === nothing ? "alone" : ""}" title=${words}>
    <span class="label">${strings.memory}</span>
    <svg class="meter" role="img" aria-label="${strings.memory}: ${words}">
      <rect class="live" width=${share(live)} height="100%" /><rect class="held" x=${share(live)} width=${share(held)} height="100%" />
    </svg>
    <span class="label numbers">${bytes(used)} / ${bytes(limit)}</span>
  </div>`;
}

/** What the server says of OBS, where it watches over one. */
function obs({ store: { obs } }: App): TemplateResult | typeof nothing {
  if (!obs || obs.state === "off") return nothing;
  const { state, scene, version } = obs;
  const words = strings.obs[state];
  const doing = [obs.recording ? strings.obs.recording : "", obs.streaming ? strings.obs.streaming : ""].filter(Boolean);
  const more = [version ? `OBS ${version}` : "", scene ?? "", ...doing].filter(Boolean).join(", ");
  return html`<span class="pill obs ${state}" title=${more || words}>${[words, ...doing].join(" · ")}</span>`;
}

const NEXT: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };
const ICONS = { auto: "auto", dark: "moon", light: "sun" } as const;

function themeButton(app: App): TemplateResult {
  const theme = remembered.theme;
  const change = (): void => {
    remembered.theme = NEXT[theme];
    applyTheme();
    app.changed();
  };
  return html`<button class="quiet" title=${strings.theme[theme]} aria-label=${strings.theme[theme]} @click=${change}>
    ${icon(ICONS[theme])}
  </button>`;
}

const light = matchMedia("(prefers-color-scheme: light)");
light.addEventListener("change", applyTheme);

/** Shows the theme that was chosen, or that of the system. */
export function applyTheme(): void {
  const { theme } = remembered;
  const systems = light.matches ? "light" : "dark";
  document.documentElement.dataset["theme"] = theme === "auto" ? systems : theme;
}
