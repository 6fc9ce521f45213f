"""`bridge webhook test`: post a signed test event, and say what came back."""

import os
from typing import Annotated, Literal

import typer

from bridge.cli import findings
from bridge.cli.loop import run
from bridge.doctor.examination import Check, examine
from bridge.doctor.finding import Finding
from bridge.doctor.settings import set_up
from bridge.doctor.webhooks import examine_webhooks
from bridge.endpoints import endpoints
from bridge.errors import ConfigError


def webhook(
    action: Annotated[Literal["test"], typer.Argument(help="test: post a test event")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines")] = False,
) -> None:
    """Post a signed test event (webhook.test) to each webhook: what it answered, how fast, and what is wrong."""
    found = run(_test())
    for finding in () if as_json else found:
        findings.show(finding)
    findings.end(found, as_json=as_json)


async def _test() -> list[Finding]:
    has = set_up(os.environ)
    settings = has.settings
    found = endpoints(settings, os.environ)
    if settings.webhook_url and not settings.webhook_secret:
        raise ConfigError("set WEBHOOK_SECRET as the bridge has it: every delivery is signed")
    if not found and not settings.bridge_twilio_transcription_url:
        raise ConfigError("set WEBHOOK_URL and WEBHOOK_SECRET as the bridge has them: there is nothing to post to")
    check = Check("webhook", lambda: examine_webhooks(settings, has.egress, found, "webhook test"))
    return [finding async for findings in examine([check]) for finding in findings]
