/** With what else something can be watched: a link that opens it in the player of this machine, and commands to copy. */

import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../app";
import { strings } from "../strings";
import { IS_DOCK } from "./dock";

/** A badge that says what is seen in place of the picture; it unfolds to why, and with what else that can be watched. */
export function why(label: string, title: string, text: string, others: TemplateResult, isOpen = false): TemplateResult {
  return html`<details class="why" ?open=${isOpen}>
    <summary class="badge" title=${text}>${label}</summary>
    <div class="message low">${title ? html`<strong>${title}</strong>` : nothing}<p>${text}</p>${others}</div>
  </details>`;
}

export function players({ hasToken }: App, name: string, path: string): TemplateResult {
  // The page does not know the token, whose cookie no script can read: it is for whoever uses the command to put in.
  const address = hasToken ? `"${location.origin}${path}?token=${strings.tokenHere}"` : location.origin + path;
  const command = (player: string): TemplateResult => {
    const line = `${player} ${address}`;
    return html`<button class="command" title=${strings.copy} @click=${() => copy(line)}>
      <code>${line}</code>
    </button>`;
  };
  return html`<div class="group">
    ${hasToken || IS_DOCK
      ? nothing
      : html`<button class="command" data-open=${address} title=${strings.openInPlayerTip} @click=${() => open(name, address)}>${strings.openInPlayer}</button>`}
    ${command("mpv")} ${command("vlc")}
  </div>`;
}

function copy(text: string): void {
  if (navigator.clipboard) return void navigator.clipboard.writeText(text);
  // Over a network without encryption browsers have this way alone.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** A list of the one address: players take such files as theirs, and browsers hand them over. */
function open(name: string, address: string): void {
  const list = new Blob([`#EXTM3U\n#EXTINF:-1,${name}\n${address}\n`], { type: "audio/x-mpegurl" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(list);
  link.download = `${name.replace(/[^\p{L}\p{N}_-]+/gu, "_")}.m3u`;
  link.click();
  // Safari reads it a while after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
