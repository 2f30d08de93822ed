import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../browser/stage/browser.mjs";
import { startFace } from "./stage/face.mjs";
import { call, goesByRelay, hears, join, onlyByRelay, openProfile, receivesAll } from "./stage/pages.mjs";
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
