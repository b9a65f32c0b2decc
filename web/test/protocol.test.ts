import { expect, test } from "vitest";

import examples from "../../docs/reference/events.json";
import { message, timeline } from "../src/protocol";
import { ShapeError } from "../src/shape";

test("every example of the server's messages is understood", () => {
  for (const example of examples) {
    const read = message(example);
    expect(read?.type).toBe(example.type);
  }
});

test("a message that lacks something is refused, wherever that is", () => {
  for (const example of examples) {
    for (const broken of without(example)) {
      const says = (): unknown => message(broken.value);
      if (READ.has(broken.key)) expect(says, `${example.type} without ${broken.key}`).toThrow(ShapeError);
      else expect(says).not.toThrow();
    }
  }
});

/** The keys of the messages that the page reads, on their first level. */
const READ = new Set(
  "memory channels decks replays jobs version name state position_s duration_s speed live item items deck job id change angles tags url start end in_s out_s length_s poster_s locked growing created channel bytes source preset progress result error obs recording streaming scene problems".split(" "),
);

function* without(example: object): Generator<{ key: string; value: object }> {
  for (const key of Object.keys(example)) {
    if (key === "type") continue;
    const { [key as keyof typeof example]: _, ...value } = example;
    // Of what is deleted only the id is left.
    yield { key, value };
  }
}

test("kinds that are not known yet are passed over, and what is no message is refused", () => {
  expect(message({ type: "weather", sun: true })).toBeNull();
  expect(message({ type: "constructor" })).toBeNull();
  for (const nonsense of [null, 7, "status", [], {}, { type: 7 }]) {
    expect(() => message(nonsense)).toThrow(ShapeError);
  }
});

test("a window without anything is understood", () => {
  expect(timeline({ first: null, segments: [] }, "timeline").segments).toEqual([]);
});
