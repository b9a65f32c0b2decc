/** Pictures on buttons: lines of one thickness on a square of 24. */

import { html, svg, type TemplateResult } from "lit";

const shapes = {
  play: svg`<path class="solid" d="M7 4.5v15l12-7.5z"/>`,
  pause: svg`<path class="solid" d="M7 4.5h3.6v15H7zM13.4 4.5H17v15h-3.6z"/>`,
  record: svg`<circle class="solid" cx="12" cy="12" r="6.5"/>`,
  stop: svg`<rect class="solid" x="5.5" y="5.5" width="13" height="13" rx="1.5"/>`,
  back: svg`<path d="M4.5 12a8 8 0 1 0 2.6-5.9"/><path d="M7.6 2.6 7 6.4l3.9.5"/>`,
  forward: svg`<path d="M19.5 12a8 8 0 1 1-2.6-5.9"/><path d="M16.4 2.6l.6 3.8-3.9.5"/>`,
  stepBack: svg`<path class="solid" d="M15 5v14l-9-7z"/><path d="M18.5 5v14"/>`,
  stepForward: svg`<path class="solid" d="M9 5v14l9-7z"/><path d="M5.5 5v14"/>`,
  sound: svg`<path class="solid" d="M4 9.5h3.5L12 5.5v13l-4.5-4H4z"/><path d="M15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/>`,
  mute: svg`<path class="solid" d="M4 9.5h3.5L12 5.5v13l-4.5-4H4z"/><path d="m16 9.5 5 5m0-5-5 5"/>`,
  fullscreen: svg`<path d="M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15"/>`,
  download: svg`<path d="M12 4v11m-4.5-4.3L12 15.2l4.5-4.5M5 19.5h14"/>`,
  onAir: svg`<circle class="solid" cx="12" cy="12" r="2.3"/><path d="M8 16a5.6 5.6 0 0 1 0-8m8 0a5.6 5.6 0 0 1 0 8M5.2 18.8a9.6 9.6 0 0 1 0-13.6m13.6 0a9.6 9.6 0 0 1 0 13.6"/>`,
  trash: svg`<path d="M4.5 6.5h15M9.5 6.5V4.3h5v2.2M6.5 6.5l.9 13h9.2l.9-13M10 10.5v5.5m4-5.5v5.5"/>`,
  lock: svg`<rect x="5.5" y="10.5" width="13" height="9" rx="1.5"/><path d="M8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5"/>`,
  unlock: svg`<rect x="5.5" y="10.5" width="13" height="9" rx="1.5"/><path d="M8.5 10.5V8a3.5 3.5 0 0 1 6.6-1.6"/>`,
  help: svg`<circle cx="12" cy="12" r="8.5"/><path d="M9.6 9.6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.2.900-1.2 1.9"/><path d="M12 16.6v.2"/>`,
  close: svg`<path d="m6 6 12 12M18 6 6 18"/>`,
  search: svg`<circle cx="10.5" cy="10.5" r="6"/><path d="m15 15 5 5"/>`,
  zoomIn: svg`<path d="M12 6v12M6 12h12"/>`,
  zoomOut: svg`<path d="M6 12h12"/>`,
  whole: svg`<path d="M4 7v10M20 7v10M7 12h10M9.5 9.5 7 12l2.5 2.5m5-5L17 12l-2.5 2.5"/>`,
  sun: svg`<circle cx="12" cy="12" r="4"/><path d="M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4"/>`,
  moon: svg`<path d="M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z"/>`,
  auto: svg`<circle cx="12" cy="12" r="8"/><path class="solid" d="M12 4a8 8 0 0 1 0 16z"/>`,
  convert: svg`<path d="M4.5 8.5h13l-3.5-3.5M19.5 15.5h-13l3.5 3.5"/>`,
  add: svg`<rect x="4" y="7" width="11" height="12" rx="1.5"/><path d="M8 4h12v12M9.5 10.5v5M7 13h5"/>`,
  film: svg`<rect x="3.5" y="5" width="17" height="14" rx="2"/><path d="M8 5v14m8-14v14M3.5 12h17"/>`,
  grid: svg`<rect x="4" y="4" width="7" height="7" rx="1"/><rect x="13" y="4" width="7" height="7" rx="1"/><rect x="4" y="13" width="7" height="7" rx="1"/><rect x="13" y="13" width="7" height="7" rx="1"/>`,
  tablet: svg`<rect x="5" y="3" width="14" height="18" rx="2"/><path d="M11 18h2"/>`,
  arrow: svg`<path d="M19 12H5m6-6-6 6 6 6"/>`,
  more: svg`<path d="M6 12v.01M12 12v.01M18 12v.01" stroke-width="3"/>`,
};

export function icon(name: keyof typeof shapes): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${shapes[name]}</svg>`;
}
