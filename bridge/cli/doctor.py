"""`bridge doctor`: what of the set-up works, what does not, and what to type."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from bridge import config
from bridge.cli import findings, place
from bridge.cli.loop import run
from bridge.doctor.examination import NAMES, checks, examine
from bridge.doctor.finding import Finding
from bridge.doctor.measuring import host
from bridge.doctor.settings import SetUp, set_up

_RESOLVER = "timeout:2 attempts:2"
"""Of the C library's look-ups, which nothing can cut short, and which an exit waits for."""


def doctor(
    number: Annotated[
        str | None, typer.Option(metavar="+15550123", help="The number to look at; by default all of the account")
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help=f"Leave a check out; may be repeated: {', '.join(NAMES)}"),
    ] = None,
    local: Annotated[
        bool,
        typer.Option("--local", help="As bridge serve --local has it; understood by itself while one serves here"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines")] = False,
) -> None:
    """Check the whole set-up: settings, public URL, Twilio, Deepgram, webhook, clock, disk. Exits with 1 if broken.

    It posts a signed test event (webhook.test) to the webhook, and changes nothing anywhere.
    """
    if unknown := [name for name in skip or () if name not in NAMES]:
        raise typer.BadParameter(f"there is no check {unknown[0]}; there are {', '.join(NAMES)}", param_hint="--skip")
    os.environ.setdefault("RES_OPTIONS", _RESOLVER)
    found = run(_examine(_set_up(local=local), number, skip or [], quiet=as_json))
    if not as_json:
        findings.sum_up(found)
    findings.end(found, as_json=as_json)


def _set_up(*, local: bool) -> SetUp:
    """That of the environment; `bridge serve --local`'s, if it is asked for, or serves here and there is no key."""
    settings, _ = config.examine(os.environ)
    here = place.find(settings)
    serves = bool(here and here.local and host.holder(settings.data_dir) is not None)
    if not local and (settings.deepgram_keys or settings.bridge_vosk_url or not serves):
        return replace(set_up(os.environ), place=here.url if here else None)
    environment = place.local_environment(os.environ)
    if here and serves and not settings.public_url:
        environment["PUBLIC_URL"] = here.public_url
    return replace(set_up(environment), local=True, place=here.url if here else None)


async def _examine(has: SetUp, number: str | None, skip: list[str], *, quiet: bool) -> list[Finding]:
    wanted = [check for check in checks(has, number=number) if check.name not in skip]
    found: list[Finding] = []
    async for told in examine(wanted):
        found += told
        for finding in () if quiet else told:
            findings.show(finding)
    return found
