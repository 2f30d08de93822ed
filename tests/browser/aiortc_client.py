"""A participant made of aiortc: an implementation of WebRTC that shares no code with the server or with browsers.

It redeems an invite, authenticates, sends a tone and a moving picture, receives, and writes one JSON line a second to
standard output: {"participant_id", "received": {participant: {source: {"frames", "energy"}}}, "channel", "chat"}. Every line of its
standard input is a message for the data channel, which it opens when CHANNEL names one; when the input is closed, it leaves.

    aiortc_client.py INVITE_LINK NAME [CHANNEL]
"""

import asyncio
import base64
import fractions
import hashlib
import json
import math
import re
import sys
import threading
import time
from urllib.parse import urlsplit

import aiohttp
import av
import numpy
from aiortc import (
    AudioStreamTrack,
    MediaStreamError,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

DOMAIN = b"countersign rooms v1 authenticate\0"
SAMPLE_RATE = 48_000
SAMPLES = 960
PING_S = 5


def with_one_fingerprint(sdp: str) -> str:
    """aiortc names its certificate by three hashes; the server takes the bound SHA-256 and no other."""
    return re.sub(r"a=fingerprint:sha-(384|512) \S+\r\n", "", sdp)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tone(AudioStreamTrack):
    """440 Hz, at a tenth of full scale unless somebody has another level."""

    def level(self) -> int:
        return 3_276

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.begun = None

    async def recv(self):
        self.begun = self.begun or time.time()
        await asyncio.sleep(max(0, self.begun + self.sent / SAMPLE_RATE - time.time()))
        times = (self.sent + numpy.arange(SAMPLES)) / SAMPLE_RATE
        wave = (numpy.sin(2 * math.pi * 440 * times) * self.level()).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self.sent
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        self.sent += SAMPLES
        return frame


class Picture(VideoStreamTrack):
    """A bar that wanders over grey."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        image = numpy.full((180, 320, 3), 96, numpy.uint8)
        left = (pts // 3000 * 4) % 300
        image[:, left : left + 20] = (240, 180, 40)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = pts
        frame.time_base = time_base
        return frame


class Client:
    def __init__(self, link: str, name: str, channel: str | None = None):
        parts = urlsplit(link)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.invite = parts.fragment
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.chat = []
        self.channel = channel and self.connection.createDataChannel(channel)
        if self.channel:
            self.channel.on("message", lambda text: self.chat.append(json.loads(text)))
        # aiortc makes its certificate itself and has no public way to ask for it; the session is bound to this one.
        (certificate,) = self.connection._RTCPeerConnection__certificates
        self.fingerprint = next(
            f"sha-256 {one.value.upper()}" for one in certificate.getFingerprints() if one.algorithm == "sha-256"
        )
        self.label = "aiortc"
        self.tracks = {}
        self.received = {}
        self.readers = {}
        self.participant = None
        self.in_flight = None

    async def run(self, ended: asyncio.Event):
        async with aiohttp.ClientSession() as http:
            session = await self.redeem(http)
            async with http.ws_connect(f"{self.origin}/v1/rooms/ws") as socket:
                await self.authenticate(socket, session)
                tasks = [asyncio.create_task(one) for one in (self.pinging(socket), self.reporting())]
                signalling = asyncio.create_task(self.signalling(socket))
                stopping = asyncio.create_task(ended.wait())
                done, _ = await asyncio.wait({signalling, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping in done:
                    await socket.send_json({"type": "leave"})
                    await asyncio.wait({signalling}, timeout=2)
                for task in (*tasks, signalling, stopping, *self.readers.values()):
                    task.cancel()
        await self.connection.close()
        if signalling.done() and not signalling.cancelled() and signalling.exception():
            raise signalling.exception()

    async def redeem(self, http) -> dict:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        body = {
            "invite": self.invite,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "public_key": base64url(point),
        }
        async with http.post(f"{self.origin}/v1/rooms/redeem", json=body) as answer:
            if answer.status != 201:
                raise RuntimeError(f"redeem: {answer.status} {await answer.text()}")
            return await answer.json()

    async def authenticate(self, socket, session: dict):
        hello = await socket.receive_json()
        token = session["session_token"]
        signed = DOMAIN + from_base64url(hello["nonce"]) + hashlib.sha256(token.encode()).digest()
        r, s = utils.decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA256())))
        signature = base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        await socket.send_json({"type": "authenticate", "session_token": token, "signature": signature})
        welcome = await socket.receive_json()
        if welcome["type"] != "welcome":
            raise RuntimeError(f"not welcome: {welcome}")
        self.participant = welcome["participant_id"]

    async def signalling(self, socket):
        await self.offer(socket)
        async for message in socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                continue
            said = json.loads(message.data)
            if said["type"] == "answer" and said["id"] == self.in_flight:
                self.in_flight = None
                await self.connection.setRemoteDescription(RTCSessionDescription(said["sdp"], "answer"))
            elif said["type"] == "offer" and self.in_flight is None:
                await self.answer(socket, said)
            elif said["type"] == "error":
                raise RuntimeError(f"refused: {said}")
            elif said["type"] == "goodbye":
                return

    async def offer(self, socket):
        voice = self.connection.addTransceiver(Tone(), direction="sendonly")
        camera = self.connection.addTransceiver(Picture(), direction="sendonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        self.in_flight = 1
        await socket.send_json(
            {
                "type": "offer",
                "media": self.label,
                "id": self.in_flight,
                "sdp": with_one_fingerprint(self.connection.localDescription.sdp),
                "tracks": {voice.mid: "voice", camera.mid: "camera"},
            }
        )

    async def answer(self, socket, offer: dict):
        await self.connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        sdp = with_one_fingerprint(self.connection.localDescription.sdp)
        await socket.send_json({"type": "answer", "media": self.label, "id": offer["id"], "sdp": sdp})
        self.tracks = offer["tracks"]
        for transceiver in self.connection.getTransceivers():
            mid = transceiver.mid
            if mid in self.tracks and mid not in self.readers:
                self.readers[mid] = asyncio.create_task(self.read(mid, transceiver.receiver.track))

    async def read(self, mid: str, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            whose = self.tracks.get(mid)
            if whose is None:
                continue
            sources = self.received.setdefault(whose["participant_id"], {})
            count = sources.setdefault(whose["source"], {"frames": 0, "energy": 0.0})
            count["frames"] += 1
            if isinstance(frame, av.AudioFrame):
                wave = frame.to_ndarray().astype(numpy.float64) / 32768
                count["energy"] += float(numpy.mean(wave**2)) * frame.samples / frame.sample_rate

    async def pinging(self, socket):
        while True:
            await asyncio.sleep(PING_S)
            await socket.send_json({"type": "ping"})

    async def reporting(self):
        while True:
            state = self.channel.readyState if self.channel else None
            said = {"participant_id": self.participant, "received": self.received, "channel": state, "chat": self.chat}
            print(json.dumps(said), flush=True)
            await asyncio.sleep(1)


async def main():
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    client = Client(*sys.argv[1:])

    def listen():
        for line in sys.stdin:
            loop.call_soon_threadsafe(client.channel.send, line.strip())
        loop.call_soon_threadsafe(ended.set)

    # A daemon: a client that fails does not wait for its standard input.
    threading.Thread(target=listen, daemon=True).start()
    await client.run(ended)


if __name__ == "__main__":
    asyncio.run(main())
