import { expect, test } from "vitest";

import lock from "../package-lock.json?raw";

test("the lock file says what is installed, and not from where", () => {
  expect(lock).not.toMatch(/"resolved"/);
});
