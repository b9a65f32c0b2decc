/**
 * `<lookback-timeline>`: the window of a channel, to be looked over, zoomed, and gone to.
 *
 * For the keyboard and for those who do not see it, it is a slider whose value is the moment that is shown.
 */

import { bitrate, clock, length } from "../format";
import { newest } from "../newest";
import type { Stretch } from "../protocol";
import type { Span } from "../store";
import { strings } from "../strings";
import { colors, draw, stretches, type Colors, type Marks } from "./draw";
import { Film } from "./film";
import { moment, moved, panned, showing, whole, x, zoomed, type View } from "./scale";

export interface Model {
  channel: string;
  window(): Span | null;
  segments(): Stretch[];
  replays(): (Span & { isOpen: boolean })[];
  marks: Marks;
  position(): number | null;
  isLive: boolean;
  seek(moment: number): void;
  toLive(): void;
  by(seconds: number): void;
  mark(which: keyof Marks, moment: number): void;
}

const FRAME_MS = 40;
const COLORS_MS = 1000;
/** How near to a mark one takes hold of it, with a mouse and with a finger. */
const GRIP = 8;
const TOUCH_GRIP = 22;
/** A position that moves by more than this between two pictures of the page was sent there. */
const JUMP_MS = 2000;
const ZOOM = 1.6;

type Drag = "seek" | keyof Marks;

export class TimelineElement extends HTMLElement {
  model: Model | null = null;

  private readonly canvas = document.createElement("canvas");
  private readonly tip = document.createElement("output");
  private readonly tipPicture = document.createElement("canvas");
  private readonly tipText = document.createElement("span");
  private readonly film = new Film();
  private view: View | null = null;
  private channel = "";
  private drawnAt = 0;
  private frame = 0;
  private painted: { colors: Colors; at: number } | null = null;
  private drag: Drag | null = null;
  private position: number | null = null;
  /** Whether somebody looks at another part than the one where the position is. */
  private isAway = false;
  private readonly pointers = new Map<number, number>();

  connectedCallback(): void {
    if (!this.firstChild) this.build();
    const tick = (now: number): void => {
      this.frame = requestAnimationFrame(tick);
      if (now - this.drawnAt >= FRAME_MS) this.paint(now);
    };
    this.frame = requestAnimationFrame(tick);
  }

  disconnectedCallback(): void {
    cancelAnimationFrame(this.frame);
  }

  /** Where in the element a moment lies, from 0 to 1. */
  shareOf(moment: number): number {
    return this.view ? x(this.view, moment, 1) : 0;
  }

  zoom(way: "in" | "out" | "whole"): void {
    const { model, view } = this;
    const window = model?.window();
    if (!model || !view || !window) return;
    if (way === "whole") {
      this.view = whole(window);
    } else {
      const factor = way === "in" ? 1 / ZOOM : ZOOM;
      this.view = zoomed(view, factor, model.position() ?? window.to, window);
    }
  }

  /** Shows the position again, wherever somebody has looked. */
  comeBack(): void {
    this.isAway = false;
  }

  private build(): void {
    this.setAttribute("role", "slider");
    this.setAttribute("tabindex", "0");
    this.setAttribute("aria-label", strings.timeline);
    this.canvas.setAttribute("aria-hidden", "true");
    this.tip.setAttribute("aria-hidden", "true");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.tipPicture.hidden = true;
    this.tip.append(this.tipPicture, this.tipText);
    this.append(this.canvas, this.tip);
    this.addEventListener("pointerdown", (event) => this.press(event));
    this.addEventListener("pointermove", (event) => this.move(event));
    this.addEventListener("pointerup", (event) => this.release(event));
    this.addEventListener("pointercancel", (event) => this.release(event));
    this.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.addEventListener("keydown", (event) => this.key(event));
  }

  private paint(now: number): void {
    this.drawnAt = now;
    const { model } = this;
    const window = model?.window();
    const { width, height } = this.getBoundingClientRect();
    if (!model || !window || width === 0) return;
    if (model.channel !== this.channel) {
      this.channel = model.channel;
      this.view = null;
      this.film.clear();
    }
    this.view = this.view ? moved(this.view, window) : whole(window);
    const position = model.position();
    this.keepInView(position, window);
    const ratio = devicePixelRatio;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
    }
    if (!this.painted || now - this.painted.at > COLORS_MS) {
      this.painted = { colors: colors(this), at: now };
    }
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const unit = parseFloat(getComputedStyle(this).fontSize);
    const { marks, isLive, channel } = model;
    draw(
      context,
      { width, height, unit },
      { channel, view: this.view, window, segments: model.segments(), replays: model.replays(), marks, position, isLive, film: this.film },
      this.painted.colors,
    );
    this.tell(window, position, isLive);
  }

  /** The view goes where the position goes, until somebody looks elsewhere. */
  private keepInView(position: number | null, window: Span): void {
    const before = this.position;
    this.position = position;
    if (position === null || !this.view || this.drag) return;
    const isSeen = position >= this.view.from && position <= this.view.to;
    if (isSeen || before === null || Math.abs(position - before) > JUMP_MS) this.isAway = false;
    if (!this.isAway) this.view = showing(this.view, position, window);
  }

  private tell(window: Span, position: number | null, isLive: boolean): void {
    const at = position ?? window.to;
    const words = isLive ? strings.atLive : strings.behindLive(length((window.to - at) / 1000));
    const set = (name: string, value: string): void => {
      if (this.getAttribute(name) !== value) this.setAttribute(name, value);
    };
    set("aria-valuemin", "0");
    set("aria-valuemax", String(Math.round((window.to - window.from) / 1000)));
    set("aria-valuenow", String(Math.max(0, Math.round((Math.min(at, window.to) - window.from) / 1000))));
    set("aria-valuetext", `${clock(at)}, ${words}`);
  }

  private at(event: MouseEvent): number {
    return event.clientX - this.getBoundingClientRect().left;
  }

  private momentAt(event: MouseEvent): number | null {
    const window = this.model?.window();
    if (!this.view || !window) return null;
    const at = moment(this.view, this.at(event), this.clientWidth);
    return Math.min(window.to, Math.max(window.from, at));
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0 || !this.model || !this.view) return;
    this.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event.clientX);
    const near = event.pointerType === "touch" ? TOUCH_GRIP : GRIP;
    const grips = (["from", "to"] as const).filter((which) => {
      const mark = this.model!.marks[which];
      return mark !== null && Math.abs(x(this.view!, mark, this.clientWidth) - this.at(event)) < near;
    });
    this.drag = this.pointers.size > 1 ? null : (grips[0] ?? "seek");
    // A finger may be the first of two: it goes nowhere before it moves or is lifted.
    if (event.pointerType !== "touch") this.follow(event);
  }

  private move(event: PointerEvent): void {
    const isDown = this.pointers.has(event.pointerId);
    if (isDown && this.pointers.size === 2) this.pinch(event);
    else if (isDown) this.follow(event);
    if (isDown) this.pointers.set(event.pointerId, event.clientX);
    if (event.pointerType !== "touch" || (isDown && this.drag)) this.showTip(event);
  }

  private release(event: PointerEvent): void {
    if (event.pointerType === "touch" && event.type === "pointerup") this.follow(event);
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.drag = null;
    if (event.pointerType === "touch") this.tip.hidden = true;
  }

  /** Takes what is dragged to where the pointer is. */
  private follow(event: PointerEvent): void {
    const at = this.momentAt(event);
    const window = this.model?.window();
    if (at === null || !window || !this.drag || !this.model) return;
    const nearEdge = moment(this.view!, this.at(event) + 2, this.clientWidth) >= window.to;
    if (this.drag !== "seek") this.model.mark(this.drag, at);
    else if (nearEdge) this.model.toLive();
    else this.model.seek(at);
  }

  /** What lies below either of two fingers stays there: so they zoom, and move. */
  private pinch(event: PointerEvent): void {
    const window = this.model?.window();
    const before = this.pointers.get(event.pointerId);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!window || !this.view || before === undefined || other === undefined) return;
    const [was, is] = [before - other, event.clientX - other];
    // Fingers that pass each other turn nothing around.
    if (was * is <= 0) return;
    const still = moment(this.view, other - this.getBoundingClientRect().left, this.clientWidth);
    this.view = zoomed(this.view, was / is, still, window);
    this.isAway = true;
  }

  private wheel(event: WheelEvent): void {
    const window = this.model?.window();
    if (!this.view || !window) return;
    event.preventDefault();
    this.isAway = true;
    const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (isSideways) {
      const by = ((event.deltaX || event.deltaY) / this.clientWidth) * (this.view.to - this.view.from);
      this.view = panned(this.view, by, window);
    } else {
      this.view = zoomed(this.view, Math.exp(event.deltaY / 400), moment(this.view, this.at(event), this.clientWidth), window);
    }
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const by = steps[event.key];
    if (by === undefined || !this.model) return;
    event.preventDefault();
    event.stopPropagation();
    this.model.by(by);
  }

  private showTip(event: PointerEvent): void {
    const { model, view } = this;
    const window = model?.window();
    const at = this.momentAt(event);
    if (!model || !view || !window || at === null) return;
    const runs = stretches(model.segments(), window);
    const run = runs.find(({ from, to }) => at >= from && at <= to);
    const segment = run && newest(run.segments, ({ start }) => Date.parse(start) <= at);
    const rate = segment ? strings.bitrate(bitrate((segment.bytes * 8) / Math.max(0.05, segment.duration_s))) : "";
    this.tipText.textContent = [clock(at, true), run ? rate : strings.gap].filter(Boolean).join("  ");
    const picture = this.film.before(model.channel, at);
    this.tipPicture.hidden = !picture;
    if (picture) {
      this.tipPicture.width = picture.width;
      this.tipPicture.height = picture.height;
      this.tipPicture.getContext("2d")?.drawImage(picture, 0, 0);
    }
    this.tip.hidden = false;
    const half = this.tip.offsetWidth / 2;
    const place = Math.min(this.clientWidth - half, Math.max(half, this.at(event)));
    this.tip.style.setProperty("--x", `${place}px`);
  }
}

customElements.define("lookback-timeline", TimelineElement);
