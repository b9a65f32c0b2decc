/** Whether the page is in a dock of OBS. A dock takes no downloads, and gives what asks for a window of its own to the system's browser. */
export const IS_DOCK = "obsstudio" in globalThis;
