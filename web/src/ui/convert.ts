/** Conversions: what to make of a replay, and how far that is. */

import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../app";
import { bytes, length } from "../format";
import type { Job, Parameter, Preset } from "../protocol";
import { strings } from "../strings";
import { IS_DOCK } from "./dock";
import { icon } from "./icons";
import { dialog } from "./dialog";

export function convertDialog(app: App, id: string): TemplateResult | typeof nothing {
  const replay = app.replays.find((replay) => replay.id === id);
  if (!replay) return nothing;
  const available = (app.presets ?? []).filter((preset) => preset.available);
  const chosen = available.find(({ name }) => name === app.preset) ?? available.find(({ name }) => name === "share") ?? available[0];
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!chosen) return;
    const form = new FormData(event.target as HTMLFormElement);
    const parameters = chosen.parameters.map((parameter) => [parameter.name, value(parameter, form)]);
    void app.convert(id, chosen.name, Object.fromEntries(parameters));
  };
  const body = html`<form @submit=${submit}>
    ${app.presets !== null && available.length === 0 ? html`<p>${strings.noConversions}</p>` : nothing}
    ${chosen ? choice(app, available, chosen) : nothing}
    ${app.hasLibrary
      ? html`<div class="group library">
          <span class="label">${strings.exportTo}</span>
          ${(["ts", "mp4"] as const).map((format) => html`<button type="button" class="chip" @click=${() => void app.export(id, format)}>${strings.exportAs[format]}</button>`)}
        </div>`
      : nothing}
    <div class="group end">
      <button type="button" class="quiet" @click=${() => app.show(null)}>${strings.cancel}</button>
      <button class="primary" id="begin" ?disabled=${!chosen}>${strings.begin}</button>
    </div>
  </form>`;
  return dialog(app, strings.shareTitle(replay.name), body);
}

function choice(app: App, available: Preset[], chosen: Preset): TemplateResult {
  const choose = (event: Event): void => {
    app.preset = (event.target as HTMLSelectElement).value;
    app.changed();
  };
  return html`<label class="field"><span>${strings.presetChoice}</span>
      <select id="preset" @change=${choose}>
        ${available.map(({ name }) => html`<option value=${name} ?selected=${name === chosen.name}>${name}</option>`)}
      </select>
    </label>
    <p class="hint">${chosen.about}</p>
    ${chosen.parameters.map((parameter) => field(chosen, parameter))}`;
}

function field(preset: Preset, { name, type, about, default: normal, min, max, choices }: Parameter): TemplateResult {
  const id = `${preset.name}-${name}`;
  const isNumber = ["integer", "number", "time"].includes(type);
  return html`<label class="field" title=${about}><span>${name}</span>
    ${choices
      ? html`<select id=${id} name=${name}>
          ${choices.map((word) => html`<option ?selected=${word === normal}>${word}</option>`)}
        </select>`
      : html`<input
          id=${id}
          name=${name}
          type=${isNumber ? "number" : "text"}
          min=${String(isNumber ? (min ?? 0) : "")}
          max=${String(isNumber ? (max ?? "") : "")}
          step=${type === "integer" ? "1" : "any"}
          .value=${String(normal)}
          required
        />`}
    <small>${about}</small>
  </label>`;
}

function value({ name, type }: Parameter, form: FormData): unknown {
  const text = String(form.get(name) ?? "");
  return ["integer", "number", "time"].includes(type) ? Number(text) : text;
}

export function jobs(app: App): TemplateResult | typeof nothing {
  const { jobs } = app.store;
  if (jobs.length === 0) return nothing;
  return html`<section class="panel jobs" aria-labelledby="jobs-title">
    <div class="head"><h2 id="jobs-title">${strings.jobs}</h2></div>
    <ul>
      ${jobs.map((job) => row(app, job))}
    </ul>
  </section>`;
}

function row(app: App, job: Job): TemplateResult {
  const replay = app.store.replays.find(({ id }) => id === job.source);
  const percent = job.progress?.percent ?? 0;
  const isOver = ["done", "failed", "cancelled"].includes(job.state);
  const what = job.preset ?? strings.asRecorded;
  return html`<li class="job ${job.state}">
    <div class="line">
      <span class="name" title=${replay?.name ?? ""}>${replay?.name ?? job.id}</span><span class="pill">${what}</span>
      ${outcome(job)}
      ${app.mayChange
        ? html`<button class="quiet small" title=${isOver ? strings.forgetJob : strings.stopJob} aria-label="${isOver ? strings.forgetJob : strings.stopJob}: ${what}" @click=${() => void app.endJob(job)}>${icon("close")}</button>`
        : nothing}
    </div>
    ${job.state === "running"
      ? html`<progress max="100" value=${percent} aria-label=${what}></progress>`
      : nothing}
    ${job.error ? html`<p class="detail">${job.error.detail}</p>` : nothing}
  </li>`;
}

function outcome(job: Job): TemplateResult {
  const { result, progress, state } = job;
  if (result?.dropped) return html`<span class="state">${strings.jobDropped}</span>`;
  if (result?.url) {
    return html`<a class="button small primary" href=${result.url} ?download=${!IS_DOCK} target=${IS_DOCK ? "_blank" : nothing}>${icon("download")}${strings.downloadResult(bytes(result.bytes))}</a>`;
  }
  if (result?.library) return html`<span class="state" title=${result.library}>${strings.jobInLibrary}, ${bytes(result.bytes)}</span>`;
  if (state === "running" && progress) {
    const left = progress.left_s === null ? "" : `, ${strings.jobLeft(length(progress.left_s))}`;
    return html`<span class="state">${Math.round(progress.percent ?? 0)} %${left}</span>`;
  }
  return html`<span class="state">${strings.jobStates[state]}</span>`;
}
