"""Asks origins that have failed whether they are well again: one short handshake now and then, for all calls.

Only where there are several. An origin answers a probe if it takes the request that calls make and, told at once that
no audio comes, says its last message: one that takes sockets and never answers is not well.
"""

import asyncio
import logging

from bridge.deepgram.messages import CLOSE_STREAM, Refusal
from bridge.deepgram.origins import Origins
from bridge.deepgram.socket import Socket
from bridge.failure import Failure

log = logging.getLogger("bridge.deepgram")


class Prober:
    """`async with Prober(…):`, while calls may go on."""

    def __init__(self, origins: Origins, request: str, look: float = 1.0) -> None:
        """`request`: of a call without options of its own, as path and query. `look`: seconds between two looks whether
        a probe is due."""
        self._origins = origins
        self._request = request
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
        socket = Socket(f"{origin.url}{self._request}", origin.key, origin.route)
        refusal: Refusal | None = Refusal(None, str(Failure("protocol", "a fault of the bridge")), None)
        try:
            patience = self._origins.policy.handshake
            refusal = await socket.open(patience) or await _last_message(socket, patience)
        except Exception:
            log.exception("a probe failed", extra={"origin": origin.name})
        finally:
            socket.abort()
            self._origins.probed(place, refusal, asyncio.get_running_loop().time())
        if refusal:
            about = {"origin": origin.name, "status": refusal.status, "reason": refusal.reason}
            log.warning("deepgram's origin fails still", extra=about)
        elif self._origins.is_well(place):
            log.info("deepgram's origin is well again", extra={"origin": origin.name})


async def _last_message(socket: Socket, patience: float) -> Refusal | None:
    """None if the server has something to say."""
    heard: list[str | bytes] = []
    socket.send(CLOSE_STREAM)
    try:
        async with asyncio.timeout(patience):
            await socket.read(lambda _, text: heard.append(text))
    except TimeoutError:
        pass  # it has said so, and leaves the closing to us
    return None if heard else Refusal(None, str(Failure("timeout")), None)
