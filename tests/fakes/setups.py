"""A set-up in which everything works, on loopback, for tests that break one part of it."""

import asyncio
import contextlib
from dataclasses import replace

from bridge.doctor.examination import checks, examine
from bridge.doctor.settings import set_up
from bridge.local.deepgram import LocalDeepgram
from bridge.local.receiver import Receiver
from bridge.local.script import CodedRecognizers
from tests.fakes import twilio_rest
from tests.fakes.running import SCRIPT, WEBHOOK_SECRET, bridge, settings

KEY = "a-key-of-deepgrams"
NUMBER = "+15550123"


class SetUp:
    """The parts, of which each can be broken, and the environment that names them."""

    def __init__(self, tmp_path):
        self.data = tmp_path / "data"
        self.environment = {}
        self.place = None
        self.deepgram = LocalDeepgram(CodedRecognizers(SCRIPT), key=KEY)
        self.receiver = Receiver(WEBHOOK_SECRET)
        self.twilio = twilio_rest.FakeTwilioRest()

    async def receive_with(self, secret):
        """The receiver has been given another secret."""
        await self.receiver.go_down()
        port = int(self.receiver.url.rpartition(":")[2].partition("/")[0])
        self.receiver = Receiver(secret, port=port)
        await self.receiver.come_up()

    async def findings(self, *only, number=None, patience=10.0, **changes):
        """What the doctor says of these checks, or of all; an empty value unsets a setting."""
        environment = {name: value for name, value in {**self.environment, **changes}.items() if value}
        has = replace(set_up(environment), place=self.place)
        wanted = [check for check in checks(has, number=number) if not only or check.name in only]
        return [finding async for found in examine(wanted, patience) for finding in found]


@contextlib.asynccontextmanager
async def working(tmp_path):
    """All parts but a public address; `fronted` gives it one."""
    setup = SetUp(tmp_path)
    async with setup.deepgram, setup.receiver, setup.twilio, contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(lambda: setup.receiver.go_down())
        setup.environment = {
            "DEEPGRAM_URL": setup.deepgram.url,
            "DEEPGRAM_API_KEY": KEY,
            "TWILIO_ACCOUNT_SID": twilio_rest.ACCOUNT,
            "TWILIO_AUTH_TOKEN": twilio_rest.AUTH_TOKEN,
            "BRIDGE_TWILIO_API": setup.twilio.url,
            "WEBHOOK_URL": setup.receiver.url,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "DATA_DIR": str(setup.data),
            "BRIDGE_AUDIO_LIMIT": "1",
        }
        yield setup


@contextlib.asynccontextmanager
async def fronted(setup, *, passes_upgrade=True, tls=None, host="127.0.0.1", **given):
    """The bridge of this set-up, and a proxy in front of it, whose address becomes PUBLIC_URL. `given`: other settings
    of the bridge than the doctor has."""
    async with Front(passes_upgrade, tls, host) as front:
        setup.environment["PUBLIC_URL"] = front.url
        shared = {"twilio_signature": "strict", "twilio_auth_token": twilio_rest.AUTH_TOKEN, "public_url": front.url}
        configured = settings(setup.data, setup.deepgram.url, **{**shared, **given})
        async with bridge(configured) as origin:
            front.target = setup.place = origin
            yield front


_HELLO = b"\x16"
"""The first octet of whoever speaks TLS."""


class Front:
    """A reverse proxy of a few lines: octets to the bridge and back; it can leave the upgrade out, rewrite what is
    asked, or answer by itself. Without a target it says that there is none."""

    def __init__(self, passes_upgrade=True, tls=None, host="127.0.0.1"):
        self.target, self._host = "", host
        self.passes_upgrade, self.tls = passes_upgrade, tls
        self.rewrite = lambda head: head
        self.answers = b""
        self._port, self._tasks, self._writers = 0, set(), set()

    async def __aenter__(self):
        await self.open()
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def open(self):
        """Listen; after `close` at the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, ssl=self.tls)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self.tls else ''}://{self._host}:{self._port}"

    async def close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def serve_with(self, tls):
        """Another certificate, or none, from now on."""
        await self.close()
        self.tls = tls
        await self.open()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._pass_on(reader, writer)
        writer.close()

    async def _pass_on(self, reader, writer):
        head = await reader.readexactly(1)
        if head == _HELLO:
            answers = b"400 Bad Request\r\n"
        else:
            head = self.rewrite(head + await reader.readuntil(b"\r\n\r\n"))
            answers = self.answers or (b"" if self.target else b"502 Bad Gateway\r\n")
        if answers:
            writer.write(b"HTTP/1.1 " + answers + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        if not self.passes_upgrade:
            lines = head.split(b"\r\n")
            head = b"\r\n".join(each for each in lines if not each.lower().startswith((b"upgrade:", b"connection:")))
        there_reader, there = await asyncio.open_connection("127.0.0.1", int(self.target.rpartition(":")[2]))
        self._writers.add(there)
        there.write(head)
        pumps = [asyncio.create_task(_pump(*ends)) for ends in ((reader, there), (there_reader, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            there.close()


async def _pump(reader, writer):
    with contextlib.suppress(ConnectionError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
