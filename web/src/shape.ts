/**
 * Shapes of JSON: one definition that is a check when the page runs and a type when it is built.
 *
 * Keys that a shape does not name are let through, so that a newer server can tell more than this page knows.
 */

export type Shape<T> = (value: unknown, at: string) => T;
export type Of<S> = S extends Shape<infer T> ? T : never;

export class ShapeError extends Error {}

function wrong(expected: string, value: unknown, at: string): never {
  throw new ShapeError(`${at || "it"} is no ${expected}: ${JSON.stringify(value)}`);
}

export const text: Shape<string> = (value, at) =>
  typeof value === "string" ? value : wrong("text", value, at);

export const number: Shape<number> = (value, at) =>
  typeof value === "number" ? value : wrong("number", value, at);

export const flag: Shape<boolean> = (value, at) =>
  typeof value === "boolean" ? value : wrong("boolean", value, at);

export const anything: Shape<unknown> = (value) => value;

export function word<const T extends string>(...words: T[]): Shape<T> {
  return (value, at) =>
    words.find((known) => known === value) ?? wrong(`one of ${words.join(", ")}`, value, at);
}

export function orNull<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? null : shape(value, at));
}

export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, at) => (value === undefined ? undefined : shape(value, at));
}

export function list<T>(shape: Shape<T>): Shape<T[]> {
  return (value, at) =>
    Array.isArray(value)
      ? value.map((entry, index) => shape(entry, `${at}[${index}]`))
      : wrong("list", value, at);
}

export function object<S extends Record<string, Shape<unknown>>>(
  shapes: S,
): Shape<{ [K in keyof S]: Of<S[K]> }> {
  return (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return wrong("object", value, at);
    }
    const known = Object.entries(shapes).map(([key, shape]) => [
      key,
      shape((value as Record<string, unknown>)[key], `${at}.${key}`),
    ]);
    return Object.fromEntries(known) as { [K in keyof S]: Of<S[K]> };
  };
}

/** An object whose keys are names: a list of what they name. */
export function entries<T extends object>(shape: Shape<T>): Shape<(T & { name: string })[]> {
  return (value, at) => {
    if (typeof value !== "object" || value === null) return wrong("object", value, at);
    return Object.entries(value).map(([name, entry]) => ({ ...shape(entry, `${at}.${name}`), name }));
  };
}
