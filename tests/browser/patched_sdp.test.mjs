import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { joinByPage, openProfile, startBrowser, idOf } from "./stage/browser.mjs";
import { arriving, receives, until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

const ROWS = [
  ["a description with another fingerprint", anotherFingerprint, /fingerprint-refused/],
  ["a description with a second fingerprint", secondFingerprint, /fingerprint-refused/],
  ["a description without a fingerprint", noFingerprint, /fingerprint-refused|media-refused/],
  ["another certificate under the bound fingerprint", anotherCertificate, null],
];

test("patched descriptions never connect", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  const { room_id } = await server.admin.createRoom("Narrow gate");
  const { url } = await server.admin.invite(room_id, 10);
  const honest = await joinByPage(await openProfile(t, browser, server), url, "Honest");
  const witness = await joinByPage(await openProfile(t, browser, server), url, "Witness");

  for (const [what, patch, refusal] of ROWS) {
    await t.test(`${what} never connects`, async (row) => {
      const page = await (await openProfile(row, browser, server, { before: patch })).newPage();
      await page.goto(url);
      await page.getByLabel("Your name").fill("Patched");
      await page.getByRole("button", { name: "Join", exact: true }).click();
      await until("the patched offer was sent", () =>
        page.evaluate(() => window.recorded.sent.some((text) => JSON.parse(text).type === "offer")),
      );
      if (refusal) {
        await until("the offer is refused", async () => {
          const codes = await page.evaluate(() => window.recorded.received.map((text) => JSON.parse(text).code));
          return codes.some((code) => refusal.test(code ?? ""));
        });
      }
      await pause(3_000);
      for (const stream of await arriving(page)) assert.equal(stream.framesDecoded, 0);
      const patched = await idOf(page);
      for (const stream of await arriving(witness)) {
        if (stream.participant_id === patched) assert.equal(stream.bytesReceived, 0);
      }
      if (refusal) assert.ok(!(await page.evaluate(() => window.recorded.connections.some((one) => one.connectionState === "connected"))));
    });
  }

  await t.test("the others go on", async () => {
    await receives(witness, await idOf(honest), "camera");
    await receives(honest, await idOf(witness), "voice");
  });
});

// These run in the page, before its scripts and after the recorder, and may use nothing from outside.

function anotherFingerprint() {
  const { send } = window.WebSocket.prototype;
  window.WebSocket.prototype.send = function (text) {
    send.call(this, text.replace(/(a=fingerprint:sha-256 )(..)/g, (_, line, pair) => line + (pair === "AB" ? "CD" : "AB")));
  };
}

function secondFingerprint() {
  const { send } = window.WebSocket.prototype;
  window.WebSocket.prototype.send = function (text) {
    const other = Array(32).fill("AB").join(":");
    send.call(this, text.replace(/(a=fingerprint:sha-256 [0-9A-F:]+)/, `$1\\r\\na=fingerprint:sha-256 ${other}`));
  };
}

function noFingerprint() {
  const { send } = window.WebSocket.prototype;
  window.WebSocket.prototype.send = function (text) {
    send.call(this, text.replace(/a=fingerprint:sha-256 [0-9A-F:]+\\r\\n/g, ""));
  };
}

function anotherCertificate() {
  const Native = window.RTCPeerConnection;
  let bound = "";
  let own = null;
  const ready = Native.generateCertificate({ name: "ECDSA", namedCurve: "P-256" }).then((made) => (own = made));
  void ready;
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      const [certificate] = configuration.certificates;
      bound = certificate.getFingerprints()[0].value.toUpperCase();
      super({ ...configuration, certificates: [own] });
    }
  };
  const { send } = window.WebSocket.prototype;
  window.WebSocket.prototype.send = function (text) {
    send.call(this, text.replace(/(a=fingerprint:sha-256 )[0-9A-F:]+/g, `$1${bound}`));
  };
}
