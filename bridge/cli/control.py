"""`bridge control`: pause, settle, change or stop the transcription of a call that goes on."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from bridge import config
from bridge.cli.arguments import Call, Url
from bridge.cli.client import BridgeAddress, BridgeClient, find_bridge
from bridge.cli.loop import run
from bridge.errors import ConfigError
from bridge.text import clock


class Action(StrEnum):
    """As the bridge names them."""

    pause = "pause"
    resume = "resume"
    finalize = "finalize"
    configure = "configure"
    stop = "stop"


_DONE = {
    Action.finalize: "What was said so far is settled.",
    Action.configure: "Deepgram has changed its options.",
    Action.stop: "The transcription ends.",
}


def control(
    call: Call,
    action: Annotated[Action, typer.Argument(help="pause: nothing is transcribed, kept or recorded until resume")],
    keyterm: Annotated[
        list[str] | None, typer.Option(help="With configure: a keyterm; all that are given replace all there were")
    ] = None,
    no_keyterms: Annotated[bool, typer.Option("--no-keyterms", help="With configure: take all keyterms away")] = False,
    numerals: Annotated[bool | None, typer.Option(help="With configure: whether numbers are written in digits")] = None,
    url: Url = None,
) -> None:
    """Pause, resume, settle, change or stop the transcription of a call that goes on."""
    keyterms = [] if no_keyterms else keyterm or None
    if action is not Action.configure and (keyterms is not None or numerals is not None):
        raise ConfigError(f"--keyterm, --no-keyterms and --numerals are for configure, not for {action}")
    if no_keyterms and keyterm:
        raise ConfigError("--no-keyterms takes all away, and --keyterm gives some: say one of them")
    wanted = {"keyterms": keyterms, "numerals": numerals}
    body = {"action": str(action), **{name: value for name, value in wanted.items() if value is not None}}
    stands = run(_control(find_bridge(config.load(), url), call, body))
    typer.echo(_DONE.get(action) or _pause(stands))
    if action in _DONE and stands.get("paused"):
        typer.echo(_pause(stands), err=True)


def _pause(stands: dict[str, Any]) -> str:
    if not stands.get("paused"):
        return "The call is heard."
    return f"Paused since {clock(stands['paused_at'])} of the call: nothing is transcribed, kept or recorded."


async def _control(address: BridgeAddress, call: str, body: dict[str, Any]) -> dict[str, Any]:
    async with BridgeClient(address) as client:
        return await client.control(await client.find(call, active=True), body)
