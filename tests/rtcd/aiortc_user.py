"""A user's client made of aiortc, as rtcd's own Go client behaves: no rollback, and so the lock before every change of its tracks.

It reads commands from standard input and writes what it says to standard output, one JSON object a line:

    in:  {"enter": true} | {"signal": JSON text} | {"speak": true} | {"mute": true or false} | {"close": true}
    out: {"sdp": deflated JSON in base64} | {"state": {…}} twice a second

    aiortc_user.py channel|plugin udp|tcp
"""

import asyncio
import base64
import io
import json
import pathlib
import re
import sys
import threading
import zlib

import av
import msgpack
import numpy
from aiortc import (
    MediaStreamError,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)

sys.path.append(str(pathlib.Path(__file__).parent.parent / "browser"))
from aiortc_client import SAMPLE_RATE, Tone, with_one_fingerprint  # noqa: E402

PING, PONG, SDP, LOCK, UNLOCK, MEDIA_MAP = 1, 2, 3, 7, 8, 9
LOCK_EVERY_S = 0.1
PATIENCE_S = 5
ICE_TCP = re.compile(r"^a=candidate:\S+ \d+ tcp \d+ (\S+) (\d+) typ host tcptype passive", re.M | re.I)
CANDIDATES = re.compile(r"^a=(candidate:.*|end-of-candidates)\r\n", re.M)


class Speech(Tone):
    """Syllables of 200 ms with pauses between them."""

    def level(self) -> int:
        return 9_000 if self.sent // (SAMPLE_RATE // 5) % 2 == 0 else 60


class Bridge(asyncio.DatagramProtocol):
    """Carries datagrams in one TCP connection (RFC 4571): aiortc has no TCP of its own."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.client = None
        self.socket = None

    @classmethod
    async def open(cls, host: str, port: int) -> tuple[str, int]:
        reader, writer = await asyncio.open_connection(host, port)
        make = lambda: cls(reader, writer)  # noqa: E731
        socket, bridge = await asyncio.get_running_loop().create_datagram_endpoint(make, local_addr=(host, 0))
        bridge.task = asyncio.create_task(bridge.down())
        return socket.get_extra_info("sockname")[:2]

    def connection_made(self, transport):
        self.socket = transport

    def datagram_received(self, data, address):
        self.client = address
        self.writer.write(len(data).to_bytes(2, "big") + data)

    async def down(self):
        while True:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
            self.socket.sendto(await self.reader.readexactly(length), self.client)


class User:
    def __init__(self, by_channel: bool, udp: bool):
        self.by_channel = by_channel
        self.udp = udp
        # By any other policy aiortc 1.16 forgets to bundle the second of two m-lines of one kind that an offer brings.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_COMPAT))
        self.channel = self.pc.createDataChannel("calls-dc")
        self.channel.on("message", self.hear)
        self.pc.on("track", self.track)
        self.map = {}
        self.said = []
        self.tracks = []
        self.received = {}
        self.readers = []
        self.faults = []
        self.pongs = 0
        self.answered = None
        self.first = True
        self.lock_reply = None
        self.voice = None
        self.sender = None
        self.inbox = asyncio.Queue()

    async def offer(self):
        await self.pc.setLocalDescription(await self.pc.createOffer())
        self.answered = asyncio.get_running_loop().create_future()
        self.describe()

    def describe(self):
        local = self.pc.localDescription
        text = json.dumps({"type": local.type, "sdp": with_one_fingerprint(local.sdp)})
        deflated = zlib.compress(text.encode())
        if self.by_channel and self.channel.readyState == "open":
            self.send(SDP, deflated)
        else:
            say({"sdp": base64.b64encode(deflated).decode()})

    def send(self, *parts):
        self.channel.send(b"".join(msgpack.packb(part) for part in parts))

    def hear(self, data):
        kind, *payload = msgpack.Unpacker(io.BytesIO(data))
        if kind == PONG:
            self.pongs += 1
        elif kind == SDP:
            self.inbox.put_nowait((json.loads(zlib.decompress(payload[0])), "channel"))
        elif kind == LOCK:
            self.lock_reply.set_result(payload[0])
        elif kind == MEDIA_MAP:
            self.map = payload[0]
            self.said.append({"what": "map"})
        else:
            self.faults.append(f"unknown message of the data channel: {kind}")

    async def signalling(self):
        while True:
            message, way = await self.inbox.get()
            if message["type"] == "offer":
                self.said.append({"what": "offer", "way": way, "mids": sent_mids(message["sdp"]), "map": [*self.map]})
                await self.pc.setRemoteDescription(RTCSessionDescription(message["sdp"], "offer"))
                await self.pc.setLocalDescription(await self.pc.createAnswer())
                self.describe()
            elif message["type"] == "answer":
                sdp = message["sdp"] if self.udp or not self.first else await self.bridged(message["sdp"])
                self.first = False
                await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
                self.answered.set_result(None)

    async def bridged(self, sdp: str) -> str:
        """The answer with the address of a bridge to the server's TCP, and no other."""
        host, port = await Bridge.open(*(part(text) for part, text in zip((str, int), ICE_TCP.search(sdp).groups())))
        head, *sections = re.split(r"^(?=m=)", CANDIDATES.sub("", sdp), flags=re.M)
        sections[0] += f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n"
        return head + "".join(sections)

    def track(self, track):
        transceiver = next(one for one in self.pc.getTransceivers() if one.receiver.track is track)
        mid = transceiver.mid
        mapped = self.map.get(mid)
        self.tracks.append({"mid": mid, "kind": track.kind, "id": track.id, "mapped": mapped})
        self.readers.append(asyncio.create_task(self.read(mid, track)))

    async def read(self, mid: str, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            count = self.received.setdefault(mid, {"packets": 0, "frames": 0, "energy": 0.0})
            if isinstance(frame, av.AudioFrame):
                wave = frame.to_ndarray().astype(numpy.float64) / 32768
                count["energy"] += float(numpy.mean(wave**2)) * frame.samples / frame.sample_rate
                count["packets"] += 1
            else:
                count["frames"] += 1

    async def lock(self):
        granted = False
        while not granted:
            self.lock_reply = asyncio.get_running_loop().create_future()
            self.send(LOCK)
            granted = await asyncio.wait_for(self.lock_reply, PATIENCE_S)
            await asyncio.sleep(0 if granted else LOCK_EVERY_S)

    async def speak(self):
        await self.lock()
        self.voice = Speech()
        self.sender = self.pc.addTrack(self.voice)
        await self.offer()
        await asyncio.wait_for(self.answered, PATIENCE_S)
        self.send(UNLOCK)

    async def pinging(self):
        while True:
            await asyncio.sleep(1)
            if self.channel.readyState == "open":
                self.send(PING)

    def state(self):
        counts = [(mid, self.map[mid], count) for mid, count in self.received.items() if mid in self.map]
        return {
            "connection": self.pc.connectionState,
            "channel": self.channel.readyState,
            "signalling": self.pc.signalingState,
            "protocol": "udp" if self.udp else "tcp",
            "faults": self.faults,
            "said": self.said,
            "tracks": self.tracks,
            "pongs": self.pongs,
            "mediaMap": self.map,
            "arriving": [{**whose, "mid": mid, **count} for mid, whose, count in counts],
        }

    async def do(self, command: dict):
        if "signal" in command:
            message = json.loads(command["signal"])
            if message["type"] != "candidate":  # The answer names the same.
                self.inbox.put_nowait((message, "plugin"))
        elif "enter" in command:
            await self.offer()
        elif "speak" in command:
            await self.speak()
        elif "mute" in command:
            self.sender.replaceTrack(None if command["mute"] else self.voice)
        elif "close" in command:
            await self.pc.close()


def sent_mids(sdp: str) -> list[str]:
    sections = re.split(r"^(?=m=)", sdp, flags=re.M)[1:]
    sends = [one for one in sections if re.search(r"^a=msid:", one, re.M) and re.search(r"^a=(sendonly|sendrecv)\r$", one, re.M)]
    return [re.search(r"^a=mid:(\S+)", one, re.M).group(1) for one in sends]


def say(message: dict):
    print(json.dumps(message), flush=True)


async def main(way: str, network: str):
    user = User(way == "channel", network == "udp")
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: user.faults.append(f"{context['message']}: {context.get('exception')!r}"))

    def guarded(work):
        task = loop.create_task(work)
        task.add_done_callback(
            lambda done: done.cancelled() or (done.exception() and user.faults.append(repr(done.exception())))
        )

    over = asyncio.Event()

    def listen():
        for line in sys.stdin:
            loop.call_soon_threadsafe(guarded, user.do(json.loads(line)))
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=listen, daemon=True).start()
    for work in (user.signalling(), user.pinging()):
        guarded(work)
    while not over.is_set():
        say({"state": user.state()})
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
