/**
 * Thumbnails of what the timeline shows, where the server can make them.
 *
 * They are asked for at round moments, so that the same ones are used again when the view moves, a few at a time, and
 * those that are seen now first.
 */

const WIDTH = 160;
const AT_A_TIME = 2;
const KEPT_MAX = 300;
const ASK_AGAIN_MS = 60_000;

export class Film {
  /** How far apart they stand, in milliseconds. */
  every = 1000;

  private readonly pictures = new Map<string, ImageBitmap | "loading" | "none">();
  private queue: string[] = [];
  private loading = 0;
  private silentUntil = 0;

  /** Forgets everything: another server, or another channel. */
  clear(): void {
    this.pictures.clear();
    this.queue = [];
    this.silentUntil = 0;
  }

  /** Begins a round of asking: what was asked for before and is not seen any more is left. */
  begin(every: number): void {
    this.every = every;
    this.queue = [];
  }

  /** The one that stands at a moment or before it. */
  before(channel: string, moment: number): ImageBitmap | null {
    return this.picture(channel, Math.floor(moment / this.every) * this.every);
  }

  picture(channel: string, moment: number): ImageBitmap | null {
    const url = `/thumbnails/${encodeURIComponent(channel)}/${Math.round(moment)}.jpg?width=${WIDTH}`;
    const known = this.pictures.get(url);
    if (known instanceof ImageBitmap) return known;
    if (!known && performance.now() >= this.silentUntil) this.queue.push(url);
    return null;
  }

  /** Loads what was asked for. */
  load(): void {
    while (this.loading < AT_A_TIME && this.queue.length > 0) void this.fetch(this.queue.shift()!);
  }

  private async fetch(url: string): Promise<void> {
    this.loading += 1;
    this.pictures.set(url, "loading");
    const result = await this.answer(url).catch(() => "none" as const);
    this.loading -= 1;
    this.pictures.set(url, result);
    if (this.pictures.size > KEPT_MAX) this.pictures.delete(this.pictures.keys().next().value!);
  }

  private async answer(url: string): Promise<ImageBitmap | "none"> {
    const answer = await fetch(url);
    // A moment that has passed says nothing of others; a server that makes none does.
    if ([404, 501, 503].includes(answer.status)) this.silentUntil = performance.now() + ASK_AGAIN_MS;
    return answer.ok ? createImageBitmap(await answer.blob()) : "none";
  }
}
