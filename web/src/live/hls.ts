/** How hls.js plays what the server makes small pictures of. */

import type { HlsConfig } from "hls.js";

/** Each piece is made for this viewer alone, so few are loaded ahead, and each is waited for. */
const AHEAD_S = 8;
const PATIENCE_MS = 60_000;
const RETRY = { maxNumRetry: 4, retryDelayMs: 1000, maxRetryDelayMs: 8000 };

export const forPreviews: Partial<HlsConfig> = {
  maxBufferLength: AHEAD_S,
  maxMaxBufferLength: AHEAD_S,
  enableWorker: false,
  fragLoadPolicy: {
    default: {
      maxTimeToFirstByteMs: PATIENCE_MS,
      maxLoadTimeMs: PATIENCE_MS,
      timeoutRetry: RETRY,
      errorRetry: RETRY,
    },
  },
};
