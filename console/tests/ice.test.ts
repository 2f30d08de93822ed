import assert from "node:assert/strict";
import { test } from "node:test";
import { isStale, readIce } from "../src/channel/ice.ts";

const SERVER = { urls: ["turn:a"], username: "u", credential: "c" };

test("what ends is asked for anew from half of its time on, and what does not end never", () => {
  const rows = [
    { told: { iceServers: [SERVER], iceExpiresIn: 900 }, servers: [SERVER], renewAt: 451_000 },
    { told: { iceServers: [SERVER], iceExpiresIn: 60 }, servers: [SERVER], renewAt: 31_000 },
    { told: { iceServers: [SERVER] }, servers: [SERVER], renewAt: null },
    { told: { iceServers: "x", iceExpiresIn: "y", sessid: "z" }, servers: [], renewAt: null },
    { told: {}, servers: [], renewAt: null },
  ];
  for (const { told, servers, renewAt } of rows) {
    const ice = readIce(told, 1_000);
    assert.deepEqual(ice, { servers, renewAt });
    if (renewAt === null) assert.equal(isStale(ice, Number.MAX_SAFE_INTEGER), false);
    else assert.deepEqual([isStale(ice, renewAt - 1), isStale(ice, renewAt)], [false, true]);
  }
});
