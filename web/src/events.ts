/**
 * The one connection on which everything comes that changes.
 *
 * A connection begins with all there is, so that coming back is the same as coming. It is sought again at growing
 * distances, and at once when the network or the person is back.
 */

import { message, ShapeError, type Message } from "./protocol";

const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 8000;
/** A network that went away says nothing: after so long a silence the server is asked. */
const SILENCE_MS = 12_000;

export type State = "connecting" | "open" | "lost";

export interface Listener {
  state(state: State): void;
  message(message: Message): void;
}

export function listen(listener: Listener): () => void {
  let socket: WebSocket | null = null;
  let wait = WAIT_MIN_MS;
  let retry: number | undefined;
  let silence: number | undefined;
  let isOver = false;

  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => void probe(), SILENCE_MS);
  };
  const probe = async (): Promise<void> => {
    const answers = await fetch("/api/v1/session", { signal: AbortSignal.timeout(4000) }).then(
      (answer) => answer.ok,
      () => false,
    );
    if (answers) heard();
    else socket?.close();
  };
  const connect = (): void => {
    clearTimeout(retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const opened = new WebSocket(`${scheme}://${location.host}/api/v1/events`);
    socket = opened;
    opened.onmessage = ({ data }) => {
      heard();
      try {
        const told = message(JSON.parse(data as string));
        if (told?.type === "snapshot") {
          wait = WAIT_MIN_MS;
          listener.state("open");
        }
        if (told) listener.message(told);
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
        console.error(error);
      }
    };
    opened.onclose = () => {
      clearTimeout(silence);
      if (isOver || socket !== opened) return;
      socket = null;
      listener.state("lost");
      retry = setTimeout(connect, wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, WAIT_MAX_MS);
    };
  };
  const hurry = (): void => {
    if (!socket && !isOver && document.visibilityState === "visible") connect();
  };
  addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  listener.state("connecting");
  connect();
  return () => {
    isOver = true;
    clearTimeout(retry);
    clearTimeout(silence);
    removeEventListener("online", hurry);
    document.removeEventListener("visibilitychange", hurry);
    socket?.close();
  };
}
