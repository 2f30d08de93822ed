import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../browser/stage/browser.mjs";
import { until } from "../browser/stage/media.mjs";
import { startFace } from "./stage/face.mjs";
import { call, goesByRelay, hears, join, onlyByRelay, openProfile, pair, receivesAll } from "./stage/pages.mjs";
import { startTurn } from "./stage/turn.mjs";

const SECRET = "of this test, and of no other";

for (const transport of ["udp", "tcp"]) {
  test(`a call by a relay that is reached by ${transport}`, { timeout: 120_000 }, async (t) => {
    const turn = await startTurn(t, SECRET);
    const face = await startFace(t, relayed(turn.url(transport), SECRET));
    const channel = await face.channel({ admission: "open" });
    const enter = async (name) => {
      const context = await openProfile(t, await startBrowser(t), face, { before: onlyByRelay });
      return join(context, `${face.origin}/peers/${channel}`, name);
    };
    const [ana, ben] = [await enter("Ana"), await enter("Ben")];
    await call(ana, ben, { caller: "Ana", called: "Ben" });
    await Promise.all([receivesAll(ana), receivesAll(ben)]);
    await Promise.all([hears(ana), hears(ben)]);
    await goesByRelay(ana, ben, turn, transport);
    await ana.getByRole("button", { name: "Check the connection to Ben" }).click();
    await ana.getByText("go by a relay").waitFor();
  });
}

test("a call outlives what it showed to its relay, and finds another way by what it was told since", { timeout: 180_000 }, async (t) => {
  const turn = await startTurn(t, SECRET);
  const face = await startFace(t, [...relayed(turn.url("udp"), SECRET), "turn_minutes = 1"]);
  const channel = await face.channel({ admission: "open" });
  const browser = await startBrowser(t);
  const enter = async (name) => join(await openProfile(t, browser, face, { before: onlyByRelay }), `${face.origin}/peers/${channel}`, name);
  const [ana, ben] = [await enter("Ana"), await enter("Ben")];
  await call(ana, ben, { caller: "Ana", called: "Ben" });
  await Promise.all([receivesAll(ana), receivesAll(ben)]);
  await goesByRelay(ana, ben, turn, "udp");
  const [first, path] = [await endOfCredentials(ana), await relayPorts(ana)];
  // A minute, which is what there is to be tested.
  await until("what was shown is over, and both have been told more", async () => {
    const ends = [await endOfCredentials(ana), await endOfCredentials(ben)];
    return Date.now() / 1000 > first + 1 && ends.every((end) => end > first);
  }, 90_000);
  await receivesAll(ana);
  await ana.evaluate(() => window.recorded.connections.at(-1).restartIce());
  await until("the call has found another way", async () => (await relayPorts(ana)).every((port, end) => port !== path[end]));
  await goesByRelay(ana, ben, turn, "udp");
  await Promise.all([receivesAll(ana), receivesAll(ben)]);
});

test("a relay lets in who shows what the secret has made that it shares with the server, and nobody else", { timeout: 60_000 }, async (t) => {
  const turn = await startTurn(t, SECRET);
  const browser = await startBrowser(t);
  const found = async (secret) => {
    const face = await startFace(t, relayed(turn.url("udp"), secret));
    const channel = await face.channel({ admission: "open" });
    const page = await (await openProfile(t, browser, face, { before: onlyByRelay })).newPage();
    await page.goto(`${face.origin}/peers/${channel}`);
    return page.evaluate(gather, channel);
  };
  const { kinds, errors } = await found(SECRET);
  // One by each interface of the machine.
  assert.deepEqual([[...new Set(kinds)], errors], [["relay"], []]);
  const wrong = await found("of another");
  assert.deepEqual(wrong.kinds, []);
  assert.ok(wrong.errors.includes(401), `${wrong.errors}`);
});

/** When what a page shows to its relay ends, in seconds since 1970. */
function endOfCredentials(page) {
  return page.evaluate(() => Number.parseInt(window.recorded.connections.at(-1).getConfiguration().iceServers[0].username, 10));
}

/** Between which ports of the relay the media of a page go. */
async function relayPorts(page) {
  const { local, remote } = await pair(page);
  return [local.port, remote.port];
}

function relayed(url, secret) {
  return [`ice_servers = ["${url}"]`, `turn_secret = "${secret}"`];
}

/** In a page: is issued what a page of the channel is, and returns the kinds of candidates that this gives, and the codes of what failed. */
async function gather(channel) {
  const issued = await fetch(`/v1/channels/${channel}/clients`, { method: "POST" });
  const connection = new RTCPeerConnection({ iceServers: (await issued.json()).iceServers });
  const [kinds, errors] = [[], []];
  connection.onicecandidateerror = ({ errorCode }) => errors.push(errorCode);
  const done = new Promise((all) => {
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate) all();
      else if (candidate.candidate) kinds.push(candidate.type);
    };
  });
  connection.createDataChannel("any");
  await connection.setLocalDescription();
  await done;
  connection.close();
  return { kinds, errors };
}
