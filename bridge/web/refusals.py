"""Says in the log why a carrier's request was refused, and what helps: the carrier tells its owner a number only.

The handlers know why they refuse (401, 403, 503), and say so. Here is the rest, most of which no handler ever sees: a
path that there is not, a method, a size. What strangers ask for elsewhere is no one's call, and is counted only.
"""

import logging
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from bridge.web.http import Handler
from twiml.signature import SIGNATURE_HEADER
from twiml.web import STREAM_STATUS_PATH, VOICE_PATH

log = logging.getLogger("bridge.requests")

_TOLD = frozenset((401, 403, 503))
"""The handlers have logged these."""


class Refusals:
    """Counts refused requests, and logs those of carriers."""

    def __init__(self, public_url: str | None, answers_twilio: bool, media_paths: Sequence[str]) -> None:
        """`answers_twilio`: whether voice webhooks are answered. `media_paths`: of all carriers."""
        self.counters: Counter[str] = Counter()
        voice = (
            f"the voice URL is {public_url}{VOICE_PATH}, a stream's status callback {public_url}{STREAM_STATUS_PATH}"
        )
        self._webhooks = voice if answers_twilio else "set PUBLIC_URL and TWILIO_AUTH_TOKEN to answer calls"
        self._sockets = f"the carriers' media sockets are {', '.join(media_paths)}"

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """For all requests; it changes none."""
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            if refusal.status >= 400:
                self._tell(request, refusal)
            raise

    def _tell(self, request: web.Request, refusal: web.HTTPException) -> None:
        self.counters["refused"] += 1
        is_media = _is_below(request, "/media")
        is_carriers = is_media or _is_below(request, "/twiml") or SIGNATURE_HEADER in request.headers
        if not is_carriers or refusal.status in _TOLD:
            return
        reason, remedy = self._why(refusal, is_media)
        said = {"method": request.method, "path": _shown(request), "status": refusal.status}
        log.warning("a carrier's request was refused", extra={**said, "reason": reason, "remedy": remedy})

    def _why(self, refusal: web.HTTPException, is_media: bool) -> tuple[str, str]:
        """The reason, and what helps."""
        match refusal.status:
            case 404:
                return "there is no such path", self._sockets if is_media else self._webhooks
            case 405:
                return "the method is not taken", "open the socket by GET" if is_media else "ask by POST or by GET"
            case 408:
                return "the body did not come in time", "look at the proxy between"
            case 400 if is_media:
                return "it is no upgrade to a WebSocket", "a proxy must pass Upgrade and Connection on"
            case 413:
                return "the body is too large", "a webhook of a carrier has a few kB: look at what is sent here"
            case 400:
                return refusal.text or refusal.reason, "send what the carrier's documentation says"
            case _:
                return refusal.reason, "send what the carrier's documentation says"


def _is_below(request: web.Request, path: str) -> bool:
    return request.path == path or request.path.startswith(path + "/")


def _shown(request: web.Request) -> str:
    """The path's first two names: a third may be a secret."""
    names = request.path[:200].split("/", 3)
    return "/".join(names[:3]) + ("/…" if names[3:] and names[3] else "")
