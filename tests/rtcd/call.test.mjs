import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../browser/stage/media.mjs";
import { startChromium } from "../interop/stage/pages.mjs";
import { MUTE, SCREEN_OFF, SCREEN_ON, UNMUTE } from "./stage/plugin.mjs";
import { startCalls } from "./stage/scene.mjs";
import { AiortcUser, BrowserUser, openPage } from "./stage/users.mjs";
import { checkNames, fallsSilent, hears, isTold, sees, stream } from "./stage/watching.mjs";

const CALL = "x".repeat(26);
/** As calls-common sends a screen: two layers of one size (reference 3.11). */
const LAYERS = [
  { rid: "l", maxBitrate: 500_000, maxFramerate: 5 },
  { rid: "h", maxBitrate: 2_500_000, maxFramerate: 20 },
];
/** More pictures a second than the low layer has. */
const HIGH = 8;
/** Less than the high layer takes, more than the low one and the voices. */
const SMALL = 400_000;

for (const udp of [true, false]) {
  for (const byChannel of [false, true]) {
    const [network, signalling] = [udp ? "UDP" : "TCP alone", byChannel ? "data channel" : "plugin"];
    test(`a call of ten over ${network}, signalled by the ${signalling}`, { timeout: 240_000 }, (t) => call(t, { udp, byChannel }));
  }
}

async function call(t, manners) {
  const { udp, byChannel } = manners;
  const { server, relay, plugin } = await startCalls(t, { udp });
  const page = await openPage(await startChromium(t), server);
  // Browsers of before the lock (reference 3.7, 4.) have nothing but their politeness.
  const inBrowser = (name) => new BrowserUser(page, plugin, name.padEnd(26, "0"), { byChannel, locking: byChannel });
  const ofAiortc = (name) => new AiortcUser(t, plugin, name.padEnd(26, "0"), { byChannel, udp });
  const [ana, ben, cho, dan, eva] = ["ana", "ben", "cho", "dan", "eva"].map(inBrowser);
  const [ivo, jan, kim] = ["ivo", "jan", "kim"].map(ofAiortc);
  const users = [ana, ben, cho, dan, eva, ivo, jan, kim];
  const others = (...not) => users.filter((user) => !not.includes(user));
  const all = (who, does) => Promise.all(who.map(does));
  const enter = async (user) => {
    await user.enter(CALL);
    await until(`${user.session} is in`, async () => {
      const { connection, channel } = await user.state();
      return connection === "connected" && channel === "open";
    });
  };

  await all(users, enter);
  assert.deepEqual(await plugin.sessions(CALL), users.map(({ session }) => session).sort());

  t.diagnostic("two speak, both at once");
  await all([ana, ivo], (user) => user.speak());
  await all([ana, ivo], (speaker) => all(others(speaker), (user) => hears(user, speaker)));
  await all([ana, ivo], ({ session }) => until(`${session} speaks`, async () => plugin.voices.get(session)?.includes(true)));
  assert.deepEqual([...plugin.voices.keys()].sort(), [ana.session, ivo.session], "nobody else speaks");

  t.diagnostic("one shares a screen in two layers");
  plugin.rtc(ben.session, SCREEN_ON, { screenStreamID: await ben.draw({ width: 640, height: 360, fps: 20 }) });
  await ben.show(LAYERS);
  await all(others(ben), (user) => sees(user, ben, "screen"));
  await all([cho, dan], (user) => seesHigh(user, ben));
  if (udp) await smallLink(t, relay, { sharer: ben, viewer: cho, other: dan });

  t.diagnostic("two come late");
  const [flo, leo] = [inBrowser("flo"), ofAiortc("leo")];
  users.push(flo, leo);
  await all([flo, leo], enter);
  await all([flo, leo], async (user) => {
    await Promise.all([hears(user, ana), hears(user, ivo), sees(user, ben, "screen")]);
  });

  t.diagnostic("the plugin reconnects");
  await plugin.cut();
  await eva.close();
  await all(others(ana, eva), (user) => hears(user, ana));
  assert.ok(!plugin.ended.has(eva.session));
  await plugin.connect();
  await until("the end that nobody was told", async () => plugin.ended.has(eva.session));
  users.splice(users.indexOf(eva), 1);
  plugin.reconnect(dan.session);
  await dan.speak();
  await all(others(dan), (user) => hears(user, dan));

  t.diagnostic("mute and unmute");
  const { offersMade } = await ana.state();
  plugin.rtc(ana.session, MUTE);
  await ana.mute(true);
  await until("her end of speech", async () => plugin.voices.get(ana.session).at(-1) === false);
  await all(others(ana), (user) => fallsSilent(user, ana, "voice"));
  await ana.mute(false);
  await fallsSilent(cho, ana, "voice");
  plugin.rtc(ana.session, UNMUTE);
  await all(others(ana), (user) => hears(user, ana));
  assert.equal((await ana.state()).offersMade, offersMade, "without negotiation");

  t.diagnostic("the screen goes");
  plugin.rtc(ben.session, SCREEN_OFF);
  await ben.hide();
  await all(others(ben), (user) => isTold(user, ben, "screen"));

  t.diagnostic("one leaves");
  plugin.leave(ivo.session);
  await until("his end", async () => plugin.ended.has(ivo.session));
  users.splice(users.indexOf(ivo), 1);
  await all(users, (user) => isTold(user, ivo, "voice"));

  t.diagnostic("somebody new takes the place of his voice");
  const nel = inBrowser("nel");
  users.push(nel);
  await enter(nel);
  await nel.speak();
  await all(others(nel), (user) => hears(user, nel));
  await all(others(nel), (user) => checkNames(user, manners));

  t.diagnostic("everybody leaves");
  for (const user of [leo, flo]) {
    await user.close();
    // Silence alone ends a session after half a minute. Over TCP a reset may take the last word with it; then the closed connection tells.
    const begun = Date.now();
    await until("an end by DTLS", async () => plugin.ended.has(user.session), 20_000);
    t.diagnostic(`the end of ${user.session.slice(0, 3)} was told after ${Date.now() - begun} ms`);
    assert.ok(Date.now() - begun < 10_000, "and not by the silence of its ICE");
  }
  const rest = others(leo, flo);
  assert.deepEqual(await plugin.sessions(CALL), rest.map(({ session }) => session).sort());
  for (const { session } of rest) plugin.leave(session);
  await until("all ends", async () => rest.every(({ session }) => plugin.ended.has(session)));
  assert.equal(await plugin.sessions(CALL), null);
  assert.deepEqual(plugin.faults, []);
}

function seesHigh(viewer, sharer) {
  const what = `${viewer.session} sees the high layer`;
  return until(what, async () => (await stream(viewer, sharer, "screen"))?.rate > HIGH, 60_000);
}

/** A viewer whose link shrinks and grows again is sent the other layer on the same track, and nobody else notices. */
async function smallLink(t, relay, { sharer, viewer, other }) {
  // A browser without time to spare leaves a layer out for a while.
  for (const rid of ["h", "l"]) {
    const { frames } = (await sharer.layers())[rid];
    await until(`layer ${rid} is sent`, async () => (await sharer.layers())[rid].frames > frames + 4);
  }
  const { mid } = await stream(viewer, sharer, "screen");
  const ufrag = await viewer.ufrag();
  relay.shapeOne(ufrag, { down: { rate: SMALL, queue: 1_000 } });
  await until("the low layer is seen", async () => {
    const { rate } = await stream(viewer, sharer, "screen");
    return rate > 0 && rate < HIGH;
  });
  await seesHigh(other, sharer);
  await sees(viewer, sharer, "screen");
  relay.shapeOne(ufrag, {});
  await seesHigh(viewer, sharer);
  assert.equal((await stream(viewer, sharer, "screen")).mid, mid, "on the same m-line");
}
