/** What the page has to say: notes of what happened, problems, a lost connection, and the question for the token. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { App } from "../app";
import { strings } from "../strings";
import { icon } from "./icons";

export function toasts({ toasts }: App): TemplateResult {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${repeat(
      toasts.list,
      ({ id }) => id,
      (toast) =>
        html`<div class="toast ${toast.isProblem ? "problem" : ""}">
          <span>${toast.text}</span>
          ${toast.answer ? html`<button class="chip" @click=${() => toasts.answer(toast)}>${toast.answer.label}</button>` : nothing}
          <button class="quiet small" aria-label=${strings.close} @click=${() => toasts.dismiss(toast.id)}>${icon("close")}</button>
        </div>`,
    )}
  </div>`;
}

/** What the server has noticed, about what comes in and about OBS, in its own words. */
export function problems({ store }: App): TemplateResult | typeof nothing {
  const found = [
    ...store.channels.flatMap(({ name, problems }) => problems.map((problem) => ({ ...problem, of: name }))),
    ...(store.obs?.problems ?? []).map((problem) => ({ ...problem, of: "OBS" })),
  ];
  if (found.length === 0) return nothing;
  return html`<details class="panel problems">
    <summary><h2>${strings.problems}<span class="count">${found.length}</span></h2></summary>
    <ul>
      ${found.map(({ of, count, hint }) => html`<li><strong>${of}</strong> ${hint} <small>(${strings.times(count)})</small></li>`)}
    </ul>
  </details>`;
}

export function connection({ store }: App): TemplateResult | typeof nothing {
  if (store.connection === "open") return nothing;
  const isLost = store.connection === "lost";
  return html`<div class="connection ${isLost ? "lost" : ""}" role="alert">${isLost ? strings.lost : strings.connecting}</div>`;
}

export function signIn(app: App): TemplateResult {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const token = new FormData(event.target as HTMLFormElement).get("token");
    void app.signIn(String(token ?? "").trim());
  };
  return html`<main class="sign-in">
    <form class="panel" @submit=${submit}>
      <h1 class="brand"><span class="logo" aria-hidden="true"></span>${strings.title}</h1>
      <h2>${strings.signInTitle}</h2>
      <p>${strings.signInText}</p>
      <label class="field"><span>${strings.token}</span><input id="token" name="token" type="password" autocomplete="current-password" required autofocus /></label>
      <button class="primary">${strings.signIn}</button>
    </form>
  </main>`;
}
