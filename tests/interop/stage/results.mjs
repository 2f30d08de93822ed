// What was run and what came of it, for docs/interop.md: one JSON line a cell, written only when its test has passed.
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

/** Emptied by `npm test` before the first test. */
export const FOLDER = join(import.meta.dirname, "../results");

/** A subtest that is a cell of the table. What `run` returns, if anything, stands beside "ok". */
export function row(t, client, feature, run, options = {}) {
  return t.test(`${client}: ${feature}`, options, async (inner) => {
    const remark = (await run(inner)) ?? "";
    await write({ client, feature, works: true, remark });
  });
}

/** A subtest that proves that something does not work; `because` is the sentence of the table. */
export function refusal(t, client, feature, because, run, options = {}) {
  return t.test(`${client}: ${feature} does not work`, options, async (inner) => {
    await run(inner);
    await write({ client, feature, works: false, remark: because });
  });
}

/** Says which version a client has. */
export function version(client, number) {
  return write({ client, version: number });
}

async function write(cell) {
  await mkdir(FOLDER, { recursive: true });
  await appendFile(join(FOLDER, "cells.jsonl"), `${JSON.stringify(cell)}\n`);
}
