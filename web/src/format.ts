/** Numbers as people read them. */

const two = (value: number): string => String(value).padStart(2, "0");

/** Seconds as a length: 7.4 s, 1:05, 1:02:03. */
export function length(seconds: number): string {
  const whole = Math.max(0, seconds);
  if (whole < 59.95) return `${whole.toFixed(1)} s`;
  return colons(whole);
}

/** Seconds with colons: 0:07, 1:05, 1:02:03. */
export function colons(seconds: number): string {
  const whole = Math.floor(Math.max(0, seconds) + 1e-6);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** The same with hundredths, as a place in a replay. */
export function place(seconds: number): string {
  const hundredths = Math.round(Math.max(0, seconds) * 100);
  return `${colons(Math.floor(hundredths / 100))}.${two(hundredths % 100)}`;
}

/** A moment on the clock of this machine. */
export function clock(ms: number, hundredths = false): string {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return hundredths ? `${time}.${two(Math.floor(at.getMilliseconds() / 10))}` : time;
}

/** Bytes in the units that file managers use. */
export function bytes(count: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export function bitrate(bitsPerSecond: number): string {
  const megabits = bitsPerSecond / 1e6;
  return `${megabits.toFixed(megabits < 10 ? 1 : 0)} Mbit/s`;
}

/** A speed: slow motion in percent, the rest as a multiple. */
export function speed(factor: number): string {
  const isSlow = factor > 0 && factor < 1;
  return isSlow ? `${Math.round(factor * 100)} %` : `${factor}×`.replace("-", "−");
}
