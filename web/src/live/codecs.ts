/** Whether this browser can show what a channel records: it is asked, with the exact codecs. */

import type { Channel } from "../protocol";

export type Playable = "yes" | "no" | "no-mse";

export function playable(channel: Channel): Playable {
  const codecs = [channel.video?.codec, ...channel.audio.map(({ codec }) => codec)];
  const type = `video/mp4; codecs="${codecs.filter(Boolean).join(",")}"`;
  const source = mediaSource();
  if (source) return source.isTypeSupported(type) ? "yes" : "no";
  const video = document.createElement("video");
  if (!video.canPlayType("application/vnd.apple.mpegurl")) return "no-mse";
  return video.canPlayType(type) ? "yes" : "no";
}

/** What the server makes of pictures that a browser cannot play. */
const PREVIEW = 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"';

/** Whether it can show that at least. */
export function playsPreviews(): boolean {
  const source = mediaSource();
  if (source) return source.isTypeSupported(PREVIEW);
  const video = document.createElement("video");
  return Boolean(video.canPlayType("application/vnd.apple.mpegurl") && video.canPlayType(PREVIEW));
}

/** How a channel is shown: as it is recorded, as a small picture that the server makes, or in keyframes. */
export type Way = "all" | "preview" | "stills";

export function wayOf(channel: Channel, makesPreviews: boolean): Way {
  if (playable(channel) === "yes") return "all";
  return makesPreviews && channel.video && playsPreviews() ? "preview" : "stills";
}

/** Safari on phones has a kind of its own. */
function mediaSource(): typeof MediaSource | null {
  const known = globalThis as unknown as Record<string, typeof MediaSource | undefined>;
  return known["ManagedMediaSource"] ?? known["MediaSource"] ?? null;
}

const NAMES: Record<string, string> = {
  avc1: "H.264",
  avc3: "H.264",
  hvc1: "HEVC",
  hev1: "HEVC",
  av01: "AV1",
  "mp4v.61": "MPEG-2",
  "mp4v.60": "MPEG-2",
};

/** The codec of the pictures as people call it, with what it is exactly. */
export function codecName({ video }: Channel): string {
  const codec = video?.codec ?? "";
  const name = NAMES[codec] ?? NAMES[codec.split(".")[0] ?? ""];
  return name ? `${name} (${codec})` : codec;
}
