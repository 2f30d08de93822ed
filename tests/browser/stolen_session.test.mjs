import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { seesAndHears } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("a stolen session opens nothing", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  const { room_id } = await server.admin.createRoom("Vault");
  const { url } = await server.admin.invite(room_id, 2);
  const owner = await joinByPage(await openProfile(t, browser, server), url, "Owner");
  const friend = await joinByPage(await openProfile(t, browser, server), url, "Friend");
  const ids = [await idOf(owner), await idOf(friend)];
  await seesAndHears(friend, [ids[0]]);

  const [firstMessage] = await owner.evaluate(() => window.recorded.sent);
  assert.equal(JSON.parse(firstMessage).type, "authenticate");
  const thief = await (await openProfile(t, await startBrowser(t), server, { expected: /console\/me/ })).newPage();
  await thief.goto(server.origin);

  const rows = [
    ["the whole first message, replayed", replay],
    ["the token, signed with another key", forge],
    ["the token, with no signature", bare],
  ];
  for (const [what, attempt] of rows) {
    await t.test(`${what}, is refused`, async () => {
      const { messages, code } = await thief.evaluate(attempt, firstMessage);
      assert.deepEqual(messages.map(({ type }) => type), ["hello", "error"]);
      assert.ok(["denied", "malformed"].includes(messages[1].code), JSON.stringify(messages[1]));
      assert.equal(code, 4001);
    });
  }

  await t.test("the owner notices nothing", async () => {
    const received = await owner.evaluate(() => window.recorded.received.map((text) => JSON.parse(text).type));
    assert.ok(!received.includes("goodbye") && !received.includes("error"));
    assert.equal(received.filter((type) => type === "welcome").length, 1);
    await Promise.all([seesAndHears(friend, [ids[0]]), seesAndHears(owner, [ids[1]])]);
    const { participants } = await server.admin.room(room_id);
    assert.deepEqual(participants.map(({ participant_id }) => participant_id), ids);
  });
});

// The three below run in the thief's page and may use nothing from outside.

async function replay(firstMessage) {
  const socket = new WebSocket(`ws://${location.host}/v1/rooms/ws`);
  const messages = [];
  return new Promise((done) => {
    socket.onmessage = ({ data }) => {
      messages.push(JSON.parse(data));
      if (messages.length === 1) socket.send(firstMessage);
    };
    socket.onclose = ({ code }) => done({ messages, code });
  });
}

async function forge(firstMessage) {
  const { session_token } = JSON.parse(firstMessage);
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const text = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const socket = new WebSocket(`ws://${location.host}/v1/rooms/ws`);
  const messages = [];
  return new Promise((done) => {
    socket.onmessage = async ({ data }) => {
      const message = JSON.parse(data);
      messages.push(message);
      if (message.type !== "hello") return;
      const encoder = new TextEncoder();
      const nonce = Uint8Array.from(atob(message.nonce.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(session_token)));
      const signed = new Uint8Array([...encoder.encode("countersign rooms v1 authenticate"), 0, ...nonce, ...hash]);
      const signature = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, keys.privateKey, signed));
      socket.send(JSON.stringify({ type: "authenticate", session_token, signature: text(signature) }));
    };
    socket.onclose = ({ code }) => done({ messages, code });
  });
}

async function bare(firstMessage) {
  const { session_token } = JSON.parse(firstMessage);
  const socket = new WebSocket(`ws://${location.host}/v1/rooms/ws`);
  const messages = [];
  return new Promise((done) => {
    socket.onmessage = ({ data }) => {
      messages.push(JSON.parse(data));
      if (messages.length === 1) socket.send(JSON.stringify({ type: "authenticate", session_token, signature: "A".repeat(86) }));
    };
    socket.onclose = ({ code }) => done({ messages, code });
  });
}
