// The Calls plugin of one Mattermost node: one WebSocket to the server, on which it speaks for all its users.
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { decodeMulti, encode } from "@msgpack/msgpack";
import WebSocket from "ws";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";

/** Kinds of messages about one session (rtcd service/rtc/msg.go). */
export const ICE = 1;
export const SDP = 2;
export const MUTE = 3;
export const UNMUTE = 4;
export const SCREEN_ON = 5;
export const SCREEN_OFF = 6;
export const VOICE_ON = 7;
export const VIDEO_ON = 9;

/** What the plugin inflates at most of a user's description (plugin server/utils.go). */
const MAX_INFLATED = 64 * 1024;

/** Registers an installation, as the plugin does when it is first started; returns its key. */
export async function register(origin, clientID) {
  const authKey = "k".repeat(32);
  const body = JSON.stringify({ clientID, authKey });
  const response = await fetch(`${origin}/register`, { method: "POST", body });
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { clientID, code: "201" });
  return authKey;
}

export class Plugin {
  /** `origin`: the rtcd face's. */
  constructor(test, origin, clientID, key) {
    this.origin = origin;
    this.clientID = clientID;
    this.authorization = `Basic ${Buffer.from(`${clientID}:${key}`).toString("base64")}`;
    this.users = new Map();
    this.ended = new Set();
    /** Session → whether it began or ceased to speak, in order. */
    this.voices = new Map();
    this.faults = [];
    this.connIDs = [];
    this.socket = null;
    atEnd(test, async () => this.socket?.terminate());
  }

  /** Opens the WebSocket, and waits for its hello. */
  async connect() {
    const socket = new WebSocket(`${this.origin.replace("http", "ws")}/ws`, { headers: { authorization: this.authorization } });
    this.socket = socket;
    const before = this.connIDs.length;
    socket.on("message", (frame, binary) => {
      assert.ok(binary);
      this.take(frame);
    });
    socket.on("error", (fault) => this.faults.push(String(fault)));
    await until("hello", async () => this.connIDs.length > before);
  }

  /** Cuts the connection, as a crash does; what users say meanwhile is lost. */
  async cut() {
    const gone = new Promise((done) => this.socket.once("close", done));
    this.socket.terminate();
    await gone;
    this.socket = null;
  }

  say(type, data) {
    this.socket?.send(Buffer.concat([encode(type), encode(data)]));
  }

  /** Tells that a user joins; what `user.signal(json)` is given from then on comes from the server. */
  join(user, call, { av1Support = false, dcSignaling }) {
    this.users.set(user.session, { user, call });
    const [callID, userID, sessionID] = [call, `user of ${user.session}`, user.session];
    this.say("join", { callID, userID, sessionID, channelID: "channel", av1Support, dcSignaling });
  }

  /** Says something about a session; `data`: an object, or JSON. */
  rtc(session, type, data = null) {
    const message = { group_id: "", user_id: "", session_id: session, call_id: "", type };
    if (data !== null) message.data = Buffer.from(typeof data === "string" ? data : JSON.stringify(data));
    this.say("rtc", message);
  }

  /** Brings a description as a user's client sent it: JSON, deflated. */
  describe(session, deflated) {
    this.rtc(session, SDP, inflateSync(deflated, { maxOutputLength: MAX_INFLATED }).toString());
  }

  leave(session) {
    this.say("leave", { sessionID: session });
  }

  reconnect(session) {
    this.say("reconnect", { sessionID: session });
  }

  take(frame) {
    const [type, data] = decodeMulti(frame);
    if (type === "hello") {
      assert.equal(data.clientID, this.clientID);
      assert.match(data.connID, /^[a-z1-9]{26}$/);
      this.connIDs.push(data.connID);
    } else if (type === "close") {
      this.ended.add(data.sessionID);
    } else if (type === "vad") {
      this.voices.set(data.session_id, [...(this.voices.get(data.session_id) ?? []), data.type === VOICE_ON]);
    } else if (type === "rtc") {
      this.hand(data);
    } else {
      this.faults.push(`an unknown message: ${type}`);
    }
  }

  /** Hands the JSON to the user's client as it is. */
  hand({ group_id, user_id, session_id, call_id, type, data }) {
    const known = this.users.get(session_id);
    const right = known && group_id === this.clientID && user_id === `user of ${session_id}` && call_id === known.call;
    if (!right || (type !== ICE && type !== SDP)) {
      this.faults.push(`rtc ${type} of ${session_id}, ${user_id}, ${call_id}`);
      return;
    }
    known.user.signal(Buffer.from(data).toString());
  }

  /** The sessions of a call, as the plugin asks for them when it is activated; null: there are none. */
  async sessions(call) {
    const response = await fetch(`${this.origin}/calls/${call}/sessions`, { headers: { authorization: this.authorization } });
    if (response.status === 404) return null;
    assert.equal(response.status, 200);
    return (await response.json()).map(({ SessionID }) => SessionID).sort();
  }
}
