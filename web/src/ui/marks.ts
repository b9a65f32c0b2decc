/** Marking a moment, and saving it. */

import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../app";
import { clock, length } from "../format";
import { strings } from "../strings";
import { icon } from "./icons";

export const LAST = [5, 10, 30, 60];

export function marks(app: App): TemplateResult | typeof nothing {
  if (!app.mayChange) return nothing;
  const marked = app.marked();
  const isDisabled = app.window() === null;
  const submit = (event: Event): void => {
    event.preventDefault();
    void app.save();
  };
  const shown = (at: number | null): string => (at === null ? "" : clock(at, true));
  return html`<form class="marks" @submit=${submit}>
    <div class="group">
      <button type="button" id="mark-in" class="mark" title="${strings.markIn} (I)" ?disabled=${!app.live} @click=${() => app.mark("from")}>
        ${strings.markIn}<small>${shown(app.marks.from)}</small>
      </button>
      <button type="button" id="mark-out" class="mark" title="${strings.markOut} (O)" ?disabled=${!app.live} @click=${() => app.mark("to")}>
        ${strings.markOut}<small>${shown(app.marks.to)}</small>
      </button>
      ${marked
        ? html`<span class="marked" id="marked">${strings.marked(length((marked.to - marked.from) / 1000))}</span>
            <button type="button" class="quiet small" title="${strings.clearMarks} (X)" aria-label=${strings.clearMarks} @click=${() => app.clearMarks()}>${icon("close")}</button>`
        : nothing}
    </div>
    <div class="group grow">
      <input
        id="name"
        type="text"
        maxlength="200"
        autocomplete="off"
        aria-label=${strings.name}
        placeholder=${strings.namePlaceholder}
        .value=${app.name}
        @input=${(event: Event) => {
          app.name = (event.target as HTMLInputElement).value;
          app.changed();
        }}
      />
      <button id="save" class="primary" title="${strings.save} (S)" ?disabled=${isDisabled}>${strings.save}</button>
    </div>
    <div class="group lasts" role="group" aria-label=${strings.last}>
      <span class="label" aria-hidden="true">${strings.last}</span>
      ${LAST.map(
        (seconds) =>
          html`<button type="button" class="chip" data-last=${seconds} title=${strings.saveLast(seconds)} aria-label=${strings.saveLast(seconds)} ?disabled=${isDisabled} @click=${() => void app.save(seconds)}>
            ${strings.seconds(seconds)}
          </button>`,
      )}
    </div>
  </form>`;
}
