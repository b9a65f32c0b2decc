/** The way in for another device: a link, and its QR code for a camera. */

import { html, nothing, type TemplateResult } from "lit";

import type { App, LinkDialog } from "../app";
import type { Link } from "../protocol";
import { strings } from "../strings";
import { dialog } from "./dialog";

/** Squares without anything in them, which a camera wants around the code. */
const MARGIN = 4;

export function linkDialog(app: App, { links, valid_s, shown }: LinkDialog): TemplateResult {
  const words = strings.link;
  if (!shown) return dialog(app, words.title, html`<p>${words.none}</p><p><code>${words.command}</code></p>`);
  const show = (wanted: Partial<Link>): void => {
    const { origin, access } = { ...shown, ...wanted };
    app.show({ kind: "link", links, valid_s, shown: links.find((link) => link.origin === origin && link.access === access) ?? shown });
  };
  const origins = [...new Set(links.map(({ origin }) => origin))];
  const accesses = links.filter(({ origin }) => origin === shown.origin).map(({ access }) => access);
  return dialog(
    app,
    words.title,
    html`<p>${words.scan(Math.floor(valid_s / 60))}</p>
      ${accesses.length > 1
        ? html`<div class="group" role="group" aria-label=${words.access}>
            <span class="label" aria-hidden="true">${words.access}</span>
            ${accesses.map(
              (access) =>
                html`<button class="chip" data-access=${access} aria-pressed=${access === shown.access ? "true" : "false"} @click=${() => show({ access })}>${words.accesses[access]}</button>`,
            )}
          </div>`
        : nothing}
      ${code(shown)}
      <label class="field"><span>${words.url}</span>
        <input id="link-url" type="text" readonly .value=${shown.url} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
      </label>
      ${origins.length > 1
        ? html`<label class="field"><span>${words.address}</span>
            <select id="link-origin" @change=${(event: Event) => show({ origin: (event.target as HTMLSelectElement).value })}>
              ${origins.map((origin) => html`<option ?selected=${origin === shown.origin}>${origin}</option>`)}
            </select>
          </label>`
        : nothing}`,
  );
}

function code({ qr }: Link): TemplateResult {
  const size = qr.length + 2 * MARGIN;
  const dark = qr.flatMap((row, y) => [...row].map((square, x) => (square === "1" ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : "")));
  return html`<svg class="code" viewBox="0 0 ${size} ${size}" role="img" aria-label=${strings.link.code} shape-rendering="crispEdges">
    <path d=${dark.join("")} />
  </svg>`;
}
