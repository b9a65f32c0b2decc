/** What this browser remembers of how somebody likes it. Where it may remember nothing, nothing is lost. */

export type Theme = "auto" | "dark" | "light";

function read(key: string): string | null {
  try {
    return localStorage.getItem(`lookback.${key}`);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(`lookback.${key}`, value);
  } catch {
    // A browser that keeps nothing, as it was told.
  }
}

export const remembered = {
  get isMuted(): boolean {
    return read("muted") !== "no";
  },
  set isMuted(isMuted: boolean) {
    write("muted", isMuted ? "yes" : "no");
  },
  get volume(): number {
    const volume = Number(read("volume") ?? 1);
    return volume >= 0 && volume <= 1 ? volume : 1;
  },
  set volume(volume: number) {
    write("volume", String(volume));
  },
  get theme(): Theme {
    const theme = read("theme");
    return theme === "dark" || theme === "light" ? theme : "auto";
  },
  set theme(theme: Theme) {
    write("theme", theme);
  },
};
