/** `<lookback-page>`: puts together what is shown, whenever something has changed. */

import { html, nothing, render, type TemplateResult } from "lit";

import "./styles/base.css";
import "./styles/stage.css";
import "./styles/panels.css";
import "./timeline/element";
import "./ui/clip-element";
import "./ui/live-element";
import { App } from "./app";
import { onKey } from "./keys";
import { convertDialog, jobs } from "./ui/convert";
import { decks } from "./ui/decks";
import { clear, help } from "./ui/dialog";
import { applyTheme, header } from "./ui/header";
import { linkDialog } from "./ui/link";
import { connection, problems, signIn, toasts } from "./ui/notices";
import { replays } from "./ui/replays";
import { stage } from "./ui/stage";

class Page extends HTMLElement {
  private readonly app = new App(() => this.later());
  private isDue = false;

  connectedCallback(): void {
    applyTheme();
    addEventListener("keydown", (event) => onKey(this.app, event));
    this.app.start();
    this.later();
  }

  /** Many changes at once are shown once. */
  private later(): void {
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      render(page(this.app), this);
    });
  }
}

function page(app: App): TemplateResult | typeof nothing {
  if (app.access === "unknown") return nothing;
  if (app.access === "none") return html`${signIn(app)} ${toasts(app)}`;
  return html`${connection(app)} ${header(app)}
    <main>
      ${stage(app)}
      <div class="side">${problems(app)} ${replays(app)} ${jobs(app)} ${decks(app)}</div>
    </main>
    ${toasts(app)} ${dialog(app)}`;
}

function dialog(app: App): TemplateResult | typeof nothing {
  switch (app.dialog?.kind) {
    case "help":
      return help(app);
    case "clear":
      return clear(app, app.dialog.channel);
    case "convert":
      return convertDialog(app, app.dialog.replay);
    case "link":
      return linkDialog(app, app.dialog);
    case undefined:
      return nothing;
  }
}

customElements.define("lookback-page", Page);
