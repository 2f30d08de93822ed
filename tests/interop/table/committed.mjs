import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { DOCUMENT, readResults, text, withoutVersions } from "./table.mjs";

test("docs/interop.md says what was run; `make interop-doc` writes it", async () => {
  const committed = await readFile(DOCUMENT, "utf8");
  assert.equal(withoutVersions(committed), withoutVersions(text(await readResults())));
});
