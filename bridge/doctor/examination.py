"""Which checks a set-up has, and all of them at once: none waits for another, and none can spoil another."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from bridge.doctor import account, hearing, home
from bridge.doctor.database import examine_database
from bridge.doctor.finding import Finding, Mark, broken, of_sentence
from bridge.doctor.public import examine_public_url
from bridge.doctor.settings import SetUp
from bridge.doctor.webhooks import examine_webhooks
from bridge.errors import BridgeError
from twiml.errors import TwilioError, TwimlError

PATIENCE = 17.0
"""Seconds for a check: a webhook may take fifteen."""

NAMES = (
    "settings",
    "public-url",
    "twilio",
    "deepgram",
    "webhook",
    "clock",
    "disk",
    "database",
    "archive",
    "files",
    "serving",
    "versions",
)
"""In the order in which they are told; the first is of the settings alone."""


@dataclass(frozen=True, slots=True)
class Check:
    """One of these."""

    name: str
    run: Callable[[], Awaitable[list[Finding]]]


def checks(set_up: SetUp, *, number: str | None = None) -> list[Check]:
    """Those of a set-up. `number`: the one of Twilio's to look at; None: all of the account."""
    settings, egress = set_up.settings, set_up.egress
    by: Literal["doctor"] = "doctor"
    hears = hearing.examine_local if set_up.local else partial(hearing.examine_deepgram, settings, egress)
    return [
        Check("settings", partial(_told, set_up.findings)),
        Check("public-url", partial(examine_public_url, settings, egress, time.time, local=set_up.local)),
        Check("twilio", partial(account.examine_twilio, settings, egress, number)),
        Check("deepgram", hears),
        Check("webhook", partial(examine_webhooks, settings, egress, set_up.endpoints, by)),
        Check("clock", partial(home.examine_clock, settings, egress, local=set_up.local)),
        Check("disk", partial(home.examine_disk, settings)),
        Check("database", partial(examine_database, settings)),
        Check("archive", partial(home.examine_archive, settings)),
        Check("files", partial(home.examine_files, settings)),
        Check("serving", partial(home.examine_serving, settings, set_up.place, local=set_up.local)),
        Check("versions", home.examine_versions),
    ]


async def examine(wanted: Sequence[Check], patience: float = PATIENCE) -> AsyncIterator[list[Finding]]:
    """What each check finds, in their order, as soon as it and those before it are done. `patience`: seconds."""
    tasks = [asyncio.create_task(_run(check, patience)) for check in wanted]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _told(findings: list[Finding]) -> list[Finding]:
    return findings


async def _run(check: Check, patience: float) -> list[Finding]:
    try:
        async with asyncio.timeout(patience):
            return await check.run()
    except TimeoutError:
        return [broken(check.name, f"this was not found out within {patience:g} s", "look at this machine's network")]
    except (BridgeError, TwilioError, TwimlError) as error:
        return [of_sentence(check.name, Mark.BROKEN, str(error))]
    except Exception as error:  # noqa: BLE001 - the other checks are worth as much
        said = f"the check itself has failed ({type(error).__name__})"
        return [broken(check.name, said, "tell the bridge's makers, with `bridge doctor --json`")]
