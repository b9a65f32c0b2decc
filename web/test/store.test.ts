import { beforeEach, expect, test, vi } from "vitest";

import examples from "../../docs/reference/events.json";
import { message, type Message } from "../src/protocol";
import { Store } from "../src/store";

const example = (type: string, change?: string): Message => {
  const found = examples.find((one) => one.type === type && (!change || (one as { change?: string }).change === change));
  return message(found)!;
};

let store: Store;
const changed = vi.fn();

beforeEach(() => {
  changed.mockClear();
  store = new Store(changed);
  store.take(example("snapshot"));
});

test("a snapshot is all there is, and takes the place of what was known", () => {
  expect(store.replays).toHaveLength(1);
  store.take({ ...(example("snapshot") as Extract<Message, { type: "snapshot" }>), replays: [], jobs: [] });
  expect(store.replays).toHaveLength(0);
  expect(store.jobs).toHaveLength(0);
  expect(store.era).toBe(2);
});

test("what changes is changed in its place, and what is new is in front", () => {
  store.take(example("replay", "changed"));
  expect(store.replays.map(({ name }) => name)).toEqual(["First goal, from behind"]);
  const created = example("replay", "created") as Extract<Message, { type: "replay" }>;
  store.take({ ...created, id: "b", replay: { ...created.replay!, id: "b" } });
  expect(store.replays.map(({ id }) => id)).toEqual(["b", "4f1c09ab"]);
  store.take(example("replay", "deleted"));
  expect(store.replays.map(({ id }) => id)).toEqual(["b"]);
  store.take(example("forgotten"));
  expect(store.jobs).toHaveLength(0);
});

test("the live edge runs ahead of what was heard, but not far", () => {
  const now = vi.spyOn(performance, "now");
  now.mockReturnValue(1000);
  store.take(example("status"));
  const end = Date.parse("2026-11-22T20:11:20.000Z");
  now.mockReturnValue(1400);
  expect(store.window("main")?.to).toBe(end + 400);
  now.mockReturnValue(60_000);
  expect(store.window("main")?.to).toBe(end + 1500);
  store.channels[0]!.state = "waiting";
  expect(store.window("main")?.to).toBe(end);
  now.mockRestore();
});

test("every message is told to whoever shows it", () => {
  for (const one of examples) {
    changed.mockClear();
    store.take(message(one)!);
    expect(changed, one.type).toHaveBeenCalledOnce();
  }
});
