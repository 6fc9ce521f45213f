"""`bridge serve`: run the server."""

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from bridge import app, checks, config, logs
from bridge.cli import engine, processes
from bridge.cli.loop import run
from bridge.cli.place import Place, local_environment, written
from bridge.config import Settings
from bridge.errors import ConfigError
from bridge.store.token import FILENAME as TOKEN_FILE
from twiml.document import NUMBER

if TYPE_CHECKING:  # loaded for those who want a tunnel
    from bridge.cli.exposing import Tunnel
    from bridge.cli.pointing import Pointing

_UNKNOWN_YET = "https://unknown.invalid"

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Where there may be a public URL without TLS."""

log = logging.getLogger("bridge.app")


def serve(
    local: Annotated[
        bool, typer.Option("--local", help="Recognize on this machine: no Deepgram key, unsigned streams unless set")
    ] = False,
    tunnel: Annotated[
        bool, typer.Option("--tunnel", help="Be reached from the internet by ngrok or cloudflared: sets PUBLIC_URL")
    ] = False,
    number: Annotated[
        str | None, typer.Option(metavar="+15550123", help="With --tunnel: point this number here while it is open")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(metavar="media,web,worker", help="Do some of the work, others do the rest: sets BRIDGE_ROLE"),
    ] = None,
    count: Annotated[
        int,
        typer.Option("--processes", min=1, max=processes.MOST, help="So many processes at one port; with PostgreSQL"),
    ] = 1,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True, help="One of --processes")] = False,
) -> None:
    """Serve calls until SIGTERM, then finish what can be finished. Settings come from the environment."""
    given = {} if role is None else {"bridge_role": role}
    settings = config.load(local_environment(os.environ) if local else None, **given)
    if number and not tunnel:
        raise ConfigError("--number is for --tunnel: without it `bridge number` points a number here, for good")
    if tunnel:
        settings = _for_tunnel(settings, number)
    elif local and not settings.public_url and _host(settings) in _LOOPBACK:
        settings = _with_port(settings)
        settings = settings.model_copy(update={"public_url": f"http://{_address(settings)}"})
    checks.check_for_serving(settings)
    if count > 1:
        processes.check(settings, local=local, tunnel=tunnel)
    if tunnel and number is None:
        number = _offered(settings)
    logs.configure(settings.bridge_log_level, settings.bridge_log_format, pid=os.getpid() if supervised else None)
    for doubt in checks.doubts(settings) if not supervised else ():
        log.warning("a setting may not do what it was set for", extra={"reason": doubt})
    if tunnel and settings.twilio_signature == "off":
        remedy = "set TWILIO_AUTH_TOKEN: then only Twilio's requests are taken"
        log.warning("strangers who find the tunnel can send calls", extra={"remedy": remedy})
    if count > 1:
        raise typer.Exit(run(processes.supervise(_with_port(settings), count)))
    try:
        unkept = run(_serve(settings, local, tunnel, number, supervised))
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None  # before it served
    if unkept:
        raise typer.Exit(1)  # some events are not on the disk


async def _serve(settings: Settings, local: bool, tunnel: bool, number: str | None, supervised: bool) -> int:
    """Serve; returns how many events could not be kept."""
    if supervised:
        processes.end_with_supervisor()
    async with AsyncExitStack() as stack:
        way = pointing = None
        if tunnel:
            way, pointing = await _expose(stack, settings, number)
            settings = settings.model_copy(update={"public_url": way.url})
        if local:
            deepgram = await stack.enter_async_context(engine.local_deepgram())
            only = {"deepgram_url": deepgram.url, "deepgram_api_key": SecretStr("local")}
            settings = settings.model_copy(update=only)

        def started(url: str) -> None:
            place = Place(url, settings.public_url or url, local)
            stack.enter_context(written(settings.data_dir, place))
            if not supervised:  # who tells the rest
                _tell(settings, place, local=local, tunnel=way, number=number)
            if pointing:
                pointing.begin()

        return await app.serve(settings, started, pointing.end if pointing else None, shared=supervised)


async def _expose(stack: AsyncExitStack, settings: Settings, number: str | None) -> "tuple[Tunnel, Pointing | None]":
    """Be reached from the internet, and have a number be pointed here once the bridge serves."""
    from bridge.cli.exposing import exposed
    from bridge.cli.pointing import pointed

    _end_on_sigterm()
    way = await stack.enter_async_context(exposed(_address(settings)))
    log.info("the tunnel is open", extra={"url": way.url, "program": way.made_by})
    reached = settings.model_copy(update={"public_url": way.url})
    return way, await stack.enter_async_context(pointed(reached, number))


def _tell(settings: Settings, place: Place, *, local: bool, tunnel: "Tunnel | None", number: str | None) -> None:
    """Say where everything is, with a link that logs in, to a terminal only: in a log file its token would not stay
    secret."""
    if sys.stderr.isatty():
        from rich.console import Console

        from bridge.cli.welcome import welcome

        page = f"{place.public_url}/, for readers with a token of BRIDGE_READ_TOKENS"
        if not settings.read_tokens:
            # The way through a tunnel is longer, and some hold up what is live.
            here = settings.model_copy(update={"public_url": None}) if tunnel else settings
            page = app.login_link(here, place.url)
        made_by = tunnel.made_by if tunnel else None
        console = Console(stderr=True, highlight=False)
        welcome(console, settings, place, page, local=local, tunnel=made_by, number=number)
    elif not settings.read_tokens:
        log.info("read the calls with the token in this file", extra={"file": str(settings.data_dir / TOKEN_FILE)})


def _for_tunnel(settings: Settings, number: str | None) -> Settings:
    """The settings with a port, and with a public URL in place of the one that is not known yet. Raises ConfigError."""
    if settings.public_url:
        raise ConfigError("PUBLIC_URL is set, and --tunnel would set it: leave one of them out")
    if number:
        if not NUMBER.fullmatch(number):
            raise ConfigError("--number takes a number in full, with its country, such as +15550123")
        if not _has_account(settings):
            raise ConfigError("--number needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, of the account that has it")
    return _with_port(settings).model_copy(update={"public_url": _UNKNOWN_YET})


def _offered(settings: Settings) -> str | None:
    """The number that a person wants to point here for the time, if one is there to be asked, and an account is set."""
    if not (_has_account(settings) and sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    question = "A number to point here until the bridge stops, such as +15550123 (Enter: none)"
    while given := typer.prompt(question, default="", show_default=False, err=True).strip():
        if NUMBER.fullmatch(given):
            return str(given)
        typer.echo("A number is written in full, with its country, such as +15550123.", err=True)
    return None


def _has_account(settings: Settings) -> bool:
    return bool(settings.twilio_account_sid and settings.twilio_auth_tokens)


def _end_on_sigterm() -> None:
    """What is started before the server takes signals is ended, too."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _host(settings: Settings) -> str:
    """Where this machine reaches the server."""
    return "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host


def _address(settings: Settings) -> str:
    host = _host(settings)
    return f"{f'[{host}]' if ':' in host else host}:{settings.port}"


def _with_port(settings: Settings) -> Settings:
    """The settings with a port that can be told before it is listened at."""
    return settings if settings.port else settings.model_copy(update={"port": _free_port(settings.host)})


def _free_port(host: str) -> int:
    """Raises ConfigError for a host that is not here."""
    try:
        with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigError(f"cannot listen at HOST, {host}: {error.strerror}") from error
