"""Asks origins that have failed whether they are well again: one short handshake now and then, for all calls.

Only where there are several. An origin answers a probe if it takes the request that calls make and, told at once that
no audio comes, says its last message: one that takes sockets and never answers is not well.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from bridge.deepgram.dialect import Dialect, Listen
from bridge.deepgram.messages import Message, Other, Refusal
from bridge.deepgram.origins import Origin, Origins
from bridge.deepgram.socket import Socket
from bridge.errors import RemoteProtocolError
from bridge.failure import Failure

log = logging.getLogger("bridge.deepgram")


class Prober:
    """`async with Prober(…):`, while calls may go on."""

    def __init__(
        self, origins: Origins, request: str, look: float = 1.0, dialect: Callable[[], Dialect] = Listen
    ) -> None:
        """`request`: of a call without options of its own, as path and query. `look`: seconds between two looks whether
        a probe is due. `dialect`: makes the one in which the request is answered."""
        self._origins = origins
        self._request = request
        self._dialect = dialect
        self._look = look
        self._watcher: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Prober {self._origins!r}>"

    async def __aenter__(self) -> "Prober":
        if len(self._origins) > 1:
            self._watcher = asyncio.create_task(self._watch(), name="prober")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._look)
            # Together: one that hangs holds up no other.
            await asyncio.gather(*(self._probe(place) for place in self._origins.to_probe(clock())))

    async def _probe(self, place: int) -> None:
        origin = self._origins.all[place]
        refusal: Refusal | None = Refusal(None, str(Failure("protocol", "a fault of the bridge")), None)
        try:
            refusal = await ask(origin, self._request, self._dialect(), self._origins.policy.handshake)
        except Exception:
            log.exception("a probe failed", extra={"origin": origin.name})
        finally:
            self._origins.probed(place, refusal, asyncio.get_running_loop().time())
        if refusal:
            about = {"origin": origin.name, "status": refusal.status, "reason": refusal.reason}
            log.warning("deepgram's origin fails still", extra=about)
        elif self._origins.is_well(place):
            log.info("deepgram's origin is well again", extra={"origin": origin.name})


async def ask(origin: Origin, request: str, dialect: Dialect, patience: float) -> Refusal | None:
    """Whether an origin takes a call's request, and answers it; None: it does both. No audio is sent.

    `request`: path and query. `patience`: seconds for each of the two steps.
    """
    socket = Socket(f"{origin.url}{request}", origin.key, origin.route)
    try:
        return await socket.open(patience) or await _last_message(socket, patience, dialect)
    finally:
        socket.abort()


async def _last_message(socket: Socket, patience: float, dialect: Dialect) -> Refusal | None:
    """None if the server has something to say, beyond a greeting."""
    heard: list[str | bytes] = []
    dialect.opened()
    socket.send(dialect.closing)
    try:
        async with asyncio.timeout(patience):
            await socket.read(lambda _, text: heard.append(text))
    except TimeoutError:
        pass  # it has said so, and leaves the closing to us
    said = [*(message for text in heard for message in _read(dialect, text)), *dialect.closed(socket.close_code)]
    answered = any(not isinstance(message, Other) for message in said)
    return None if answered else Refusal(None, str(Failure("timeout")), None)


def _read(dialect: Dialect, text: str | bytes) -> Sequence[Message]:
    try:
        return dialect.read(text).messages
    except RemoteProtocolError:
        return ()
