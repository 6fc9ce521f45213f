"""What the checks of the start look at: the set-up once, and Deepgram for as long as it refuses.

What they find is a warning in the log, with what to do. Deepgram is asked at once: what it says is told to the origins,
so that `/readyz` and the calls know it before the first call does. The public address is asked last: a load balancer
may send requests here only after a while.
"""

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from functools import partial

from bridge.config import Settings
from bridge.deepgram.messages import Blame, Refusal
from bridge.deepgram.origins import Origins
from bridge.doctor import account, home
from bridge.doctor.database import examine_database
from bridge.doctor.examination import Check, examine
from bridge.doctor.finding import Finding, Mark
from bridge.doctor.hearing import asked_for, handshake
from bridge.doctor.judging import deepgram
from bridge.doctor.public import examine_public_url, is_outside
from bridge.doctor.webhooks import reach_webhooks
from bridge.egress import Egress
from bridge.endpoints import endpoints
from bridge.policies import own_egress

log = logging.getLogger("bridge.doctor")

_WORTH_A_LINE = (Mark.DOUBT, Mark.BROKEN)


class Looking:
    """At a server's set-up, and at the origins of its calls."""

    def __init__(self, settings: Settings, origins: Origins, settle: float, again: float) -> None:
        """`settle`, `again`: seconds until the public address is asked, and between two questions to an origin."""
        self._settings = settings
        self._origins = origins
        self._settle = settle
        self._again = again

    async def around(self) -> None:
        """Everything but Deepgram, once; what is other roles' affair is not looked at."""
        settings, egress = self._settings, own_egress()
        checks = [
            Check("clock", partial(home.examine_clock, settings, egress)),
            Check("disk", partial(home.examine_disk, settings)),
            Check("database", partial(examine_database, settings)),
            Check("archive", partial(home.examine_archive, settings)),
            Check("versions", home.examine_versions),
            *self._webhooks(egress),
            *self._twilio(egress),
        ]
        await self._tell(checks)
        if is_outside(settings.public_url) and "media" in settings.roles:
            await asyncio.sleep(self._settle)
            await self._tell([Check("public-url", partial(examine_public_url, settings, egress, time.time))])
        log.info("the set-up has been looked at")

    def _webhooks(self, egress: Egress) -> Sequence[Check]:
        if "worker" not in self._settings.roles:
            return ()
        found = endpoints(self._settings, os.environ)
        return (Check("webhook", partial(reach_webhooks, self._settings, egress, found)),)

    def _twilio(self, egress: Egress) -> Sequence[Check]:
        if not self._settings.twilio_account_sid or "media" not in self._settings.roles:
            return ()
        return (Check("twilio", partial(account.examine_twilio, self._settings, egress)),)

    async def _tell(self, checks: Sequence[Check]) -> None:
        async for findings in examine(checks):
            for finding in findings:
                _log(finding)

    async def watch_deepgram(self) -> None:
        """Every origin once, and those that refuse until they do not."""
        if self._settings.bridge_vosk_url or not self._settings.transcribes:
            return
        places = list(range(len(self._origins)))
        while True:
            await asyncio.gather(*(self._ask(place) for place in places))
            await asyncio.sleep(self._again)
            standing = self._origins.standing
            places = [place for place, origin in enumerate(self._origins.all) if origin.name in standing]

    async def _ask(self, place: int) -> None:
        """Tell the origins what comes of it, unless it may pass by itself: then calls will see."""
        origin = self._origins.all[place]
        stood = origin.name in self._origins.standing
        try:
            refusal = await handshake(self._settings, origin)
        except Exception:
            log.exception("deepgram could not be asked", extra={"origin": origin.name})
            return
        if refusal is None:
            self._origins.succeeded(place)
            if stood:
                log.info("deepgram takes calls again", extra={"origin": origin.name})
            return
        if refusal.blame is not Blame.PASSING:
            self._origins.refused(place, refusal, asyncio.get_running_loop().time())
        if not stood:
            self._log_refusal(refusal, origin.name)

    def _log_refusal(self, refusal: Refusal, name: str) -> None:
        _log(deepgram.listening(refusal, name, asked_for(self._settings)))


def _log(finding: Finding) -> None:
    if finding.mark in _WORTH_A_LINE:
        about = {"check": finding.check, "reason": finding.said, "remedy": finding.remedy}
        log.warning("something of the set-up does not work", extra=about)
