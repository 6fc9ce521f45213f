"""A webhook endpoint for this machine: verifies, puts duplicates aside, checks the order, keeps what came.

For trying the bridge, for testing one's own webhook's understanding of it, and for our tests, which can make it fail
in every way a webhook fails. It verifies with the `standardwebhooks` library and not with our own signing. It is no
example of a production receiver: it keeps events in memory only.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from aiohttp import web

from bridge.delivery.envelope import opened
from bridge.delivery.signing import parse_secrets
from bridge.errors import ConfigError, RemoteProtocolError
from bridge.installing import with_extra
from bridge.local.order import OrderOracle

Json = dict[str, Any]

KEPT_DELIVERIES = 100_000


@dataclass(slots=True)
class Fault:
    """What happens to a POST instead of a 204. One that is refused by a status leaves no trace in the record."""

    status: int | None = None
    delay: float = 0.0
    """Seconds before the answer."""
    held: asyncio.Event | None = None
    """No answer before this is set."""
    retry_after: str | None = None
    location: str | None = None
    reset: bool = False
    """Take the events in, then cut the connection without an answer: the sender has to say it again."""
    call_id: str | None = None
    """Only this call's; None: all."""
    seq: int | None = None
    """Only deliveries that have this event in them."""
    times: int | None = None
    """How often; None: always."""

    def matches(self, call_id: str, seqs: list[int]) -> bool:
        return self.times != 0 and self.call_id in (None, call_id) and (self.seq is None or self.seq in seqs)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST, whether or not it was accepted."""

    webhook_id: str
    at: float
    """The loop's time of its arrival."""
    call_id: str
    seqs: tuple[int, ...]
    skipped: tuple[int, ...]
    status: int
    """What it was answered; 0: the connection was cut."""


@dataclass(slots=True)
class ReceivedCall:
    """What has come of one call."""

    call: Json
    events: list[Json] = field(default_factory=list)
    """The durable ones, each once, in the order of arrival."""
    interims: list[Json] = field(default_factory=list)


class Receiver:
    """`async with Receiver(secret) as receiver:` listens at `receiver.url` until it is left.

    `secret`: one or more `whsec_…`, separated by spaces. `on_event` is called with the envelope's `call` and one new
    event; `on_problem` with a sentence about a bad signature, a bad body or a fault in the order. `keep`: calls to
    remember; the oldest are forgotten.
    """

    def __init__(
        self,
        secret: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/webhook",
        on_event: Callable[[Json, Json], None] | None = None,
        on_problem: Callable[[str], None] | None = None,
        from_start: bool = True,
        keep: int = 10_000,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        self.calls: dict[str, ReceivedCall] = {}
        self.order = OrderOracle(from_start=from_start, keep=keep)
        self.faults: list[Fault] = []
        """The first that matches counts."""
        self._verifiers = _verifiers(secret)
        self._host, self._port, self._path = host, port, path
        self._on_event = on_event
        self._on_problem = on_problem
        self._keep = keep
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Receiver":
        await self.come_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_down()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}{self._path}"

    async def come_up(self) -> None:
        """Listen, and after `go_down` at the same port again."""
        app = web.Application()
        app.router.add_post(self._path, self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.go_down()
            raise ConfigError(f"cannot listen at {self._host}:{self._port}: {error.strerror}") from error
        self._port = self._runner.addresses[0][1]

    async def go_down(self) -> None:
        """Close the port and every connection: later posts are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def events(self, call_id: str) -> list[Json]:
        """The durable events of a call that have come, each once."""
        received = self.calls.get(call_id)
        return received.events if received else []

    def seqs(self, call_id: str) -> list[int]:
        return [event["seq"] for event in self.events(call_id)]

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until something that came makes this true; `TimeoutError` if it takes too long."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        arrived = asyncio.get_running_loop().time()
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not self._verify(body, headers):
            self.counters["unverified"] += 1
            self._problem("a delivery whose signature does not verify was refused")
            return web.Response(status=401)
        try:
            call, events, skipped, _ = opened(body)
        except RemoteProtocolError:
            self.counters["malformed"] += 1
            self._problem("a delivery that is no envelope was refused")
            return web.Response(status=422)
        seqs = [event["seq"] for event in events if "seq" in event]
        fault = next((fault for fault in self.faults if fault.matches(call["id"], seqs)), Fault())
        if fault.times is not None:
            fault.times -= 1
        status = 0 if fault.reset else fault.status or 204
        self.counters["deliveries"] += 1
        self.deliveries.append(Delivery(headers["webhook-id"], arrived, call["id"], tuple(seqs), skipped, status))
        self._news.set()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.held:
            await fault.held.wait()
        if status < 300:
            self._take(call, events, skipped)
            self._news.set()
        return self._answer(request, fault, status)

    def _answer(self, request: web.Request, fault: Fault, status: int) -> web.StreamResponse:
        if fault.reset and request.transport is not None:
            request.transport.abort()
        answer = web.Response(status=status or 204)
        for name, value in (("Retry-After", fault.retry_after), ("Location", fault.location)):
            if value is not None:
                answer.headers[name] = value
        return answer

    def _verify(self, body: bytes, headers: dict[str, str]) -> bool:
        for verify in self._verifiers:
            try:
                verify(body, headers)
            except Exception:  # noqa: BLE001, PERF203 - the library lets through whatever its parsing meets
                continue
            return True
        return False

    def _take(self, call: Json, events: list[Json], skipped: Iterable[int]) -> None:
        received = self.calls.get(call["id"])
        if received is None:
            if len(self.calls) >= self._keep:
                del self.calls[next(iter(self.calls))]
            received = self.calls[call["id"]] = ReceivedCall(call)
        self.order.skip(call["id"], skipped)
        for event in events:
            if "seq" not in event:
                self.counters["interims"] += 1
                received.interims.append(event)
            else:
                seen = self.order.receive(call["id"], event["seq"], event["id"])
                self.counters[seen] += 1
                if seen == "duplicate":
                    continue
                if seen == "violation":
                    self._problem(self.order.violations[-1])
                received.events.append(event)
            if self._on_event:
                self._on_event(call, event)

    def _problem(self, text: str) -> None:
        if self._on_problem:
            self._on_problem(text)


def check_installed() -> None:
    """Raises ConfigError where the library is missing that verifies."""
    if find_spec("standardwebhooks") is None:
        raise ConfigError(f"the receiver needs standardwebhooks: {with_extra('local')}")


def _verifiers(secret: str) -> list[Callable[[bytes, dict[str, str]], object]]:
    check_installed()
    from standardwebhooks import Webhook

    return [Webhook(octets).verify for octets in parse_secrets(secret)]
