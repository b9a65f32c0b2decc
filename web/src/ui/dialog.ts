/** A sheet above the page; the browser keeps the focus in it. */

import { html, nothing, type TemplateResult } from "lit";
import { ref } from "lit/directives/ref.js";

import type { App } from "../app";
import { strings } from "../strings";
import { icon } from "./icons";

export function dialog(app: App, title: string, body: TemplateResult): TemplateResult {
  const open = (element?: Element): void => {
    if (element instanceof HTMLDialogElement && !element.open) queueMicrotask(() => element.isConnected && element.showModal());
  };
  const outside = (event: MouseEvent): void => {
    if (event.target === event.currentTarget) app.show(null);
  };
  return html`<dialog ${ref(open)} aria-labelledby="dialog-title" @close=${() => app.show(null)} @click=${outside}>
    <div class="sheet">
      <div class="head">
        <h2 id="dialog-title">${title}</h2>
        <button class="quiet" aria-label=${strings.close} title="${strings.close} (Esc)" @click=${() => app.show(null)}>${icon("close")}</button>
      </div>
      ${body}
    </div>
  </dialog>`;
}

export function help(app: App): TemplateResult {
  return dialog(
    app,
    strings.helpTitle,
    html`<p>${strings.helpIntro}</p>
      <dl class="keys">
        ${strings.keys.map(
          ([keys, what]) =>
            html`<div>
              <dt>${keys.split(/\s+/).map((key) => html`<kbd>${key}</kbd>`)}</dt>
              <dd>${what}</dd>
            </div>`,
        )}
      </dl>
      <div class="group">
        ${app.hasToken ? html`<button class="chip" @click=${() => void app.signOut()}>${strings.signOut}</button>` : nothing}
        <a class="button chip" href="/assets/licenses.md" target="_blank">${strings.licenses}</a>
        <span class="label end">lookback ${app.store.version}</span>
      </div>`,
  );
}

/** Forgetting cannot be undone: it is asked for twice. */
export function clear(app: App, channel: string): TemplateResult {
  const words = strings.channelActions;
  const sure = (): void => {
    app.show(null);
    void app.tellChannel(channel, "clear");
  };
  return dialog(
    app,
    words.clearTitle(channel),
    html`<p>${words.clearText}</p>
      <div class="group end">
        <button class="quiet" @click=${() => app.show(null)}>${strings.cancel}</button>
        <button class="primary" id="sure" @click=${sure}>${words.clearYes}</button>
      </div>`,
  );
}
