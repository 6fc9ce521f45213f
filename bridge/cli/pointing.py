"""A number that is pointed at a tunnel while it is open, and put back when it closes."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.cli.number import TUNNEL_MEMORY
from bridge.config import Settings
from bridge.policies import own_egress
from bridge.web.carriers import twilio_account
from twiml import number as numbers
from twiml.document import webhook_url
from twiml.errors import TwilioError
from twiml.web import VOICE_PATH

log = logging.getLogger("bridge.tunnel")


class Pointing:
    """One number. Nothing is changed before `begin`; `end` puts back what that has changed."""

    def __init__(self, settings: Settings, number: str) -> None:
        """`settings`: with the public URL of the tunnel. Raises TwilioError where no account is set."""
        self._number = number
        self._account = twilio_account(settings, own_egress())
        self._memory = settings.data_dir / TUNNEL_MEMORY
        self._url = webhook_url(settings.public_url or "", VOICE_PATH)
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Point it here, beside everything else; what comes of it is logged."""
        self._task = asyncio.create_task(self._point())

    async def end(self) -> None:
        """Put it back, if it was changed; once. What comes of it is logged."""
        task, self._task = self._task, None
        if task is None:
            return
        await task
        with contextlib.suppress(TwilioError):
            if not numbers.is_remembered(self._number, self._memory):
                return
        try:
            change = await numbers.undo(self._account, self._number, self._memory)
            log.info("the number is put back", extra={"number": self._number, "voice_url": _told(change.after)})
        except TwilioError as error:
            remedy = f"bridge number {self._number} --undo"
            log.error("the number is not put back", extra={"reason": str(error), "remedy": remedy})

    async def _point(self) -> None:
        try:
            change = await numbers.point(self._account, self._number, self._url, self._memory)
        except TwilioError as error:
            log.error("the number is not pointed here", extra={"number": self._number, "reason": str(error)})
        else:
            extra = {"number": self._number, "before": _told(change.before)}
            log.info("the number is pointed here until the bridge stops", extra=extra)


@asynccontextmanager
async def pointed(settings: Settings, number: str | None) -> AsyncIterator[Pointing | None]:
    """The number, which is put back at the latest when this is left; None where there is none."""
    if number is None:
        yield None
        return
    pointing = Pointing(settings, number)
    try:
        yield pointing
    finally:
        await pointing.end()


def _told(config: numbers.NumberConfig) -> str:
    """The voice URL without what may be a secret in it."""
    return config.voice_url.partition("?")[0] or "none"
