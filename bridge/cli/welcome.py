"""What a person at a terminal is told of a bridge that serves: where everything is, and what to type next.

A line is never broken in the middle of a command or an address, so that both can be copied at any width.
"""

import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text

from bridge.carriers.twilio import TWILIO
from bridge.cli.place import Place
from bridge.config import Settings
from twiml.web import VOICE_PATH

_WHOLE = "\N{NO-BREAK SPACE}"
"""Stands for a blank at which a line is not broken."""


def command(*words: str, data_dir: Path | None = None, elsewhere: bool = False) -> str:
    """A command of ours as it can be typed in this folder. `data_dir`: the one that it must be told of. `elsewhere`: in
    another terminal, in which this virtual environment may not be active; Debian has a `bridge` of its own there."""
    own = Path(sys.executable).with_name("bridge")
    found = shutil.which("bridge", path=_path_without(own.parent) if elsewhere else None)
    if found and Path(found).resolve() == own.resolve():
        name = "bridge"
    elif own.exists():
        name = shlex.quote(short(own))
    else:
        name = f"{shlex.quote(short(Path(sys.executable)))} -m bridge"
    told = [f"DATA_DIR={shlex.quote(str(data_dir))}"] if data_dir and data_dir != Path("data") else []
    return " ".join([*told, name, *map(shlex.quote, words)])


def _path_without(folder: Path) -> str:
    """Where a shell looks for commands, without what an active virtual environment has put there."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(place for place in places if sys.prefix == sys.base_prefix or Path(place) != folder)


def short(path: Path) -> str:
    """A path as it can be typed in this folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def welcome(
    console: Console,
    settings: Settings,
    place: Place,
    page: str,
    *,
    local: bool,
    tunnel: str | None = None,
    number: str | None = None,
) -> None:
    """Say where everything is. `page`: the link to it; it may log in, so this is for a terminal only. `tunnel`: who has
    made it, if there is one; `number`: the one that is pointed at it."""
    rows = [("page", page), *_addresses(settings, place), ("events", _events(settings))]
    if tunnel:
        rows.append(("tunnel", f"{place.public_url}, by {tunnel}"))
    if number:
        rows.append(("number", f"{number} comes here until the bridge stops"))
    if local:
        from bridge.local.recognizer import ABOUT, available  # not above: other servers do without

        rows.append(("recognizer", available() or ABOUT))
    show(console, "The bridge serves; Ctrl-C ends it.", rows)
    if local:
        told = "Next, in another terminal and this folder:"
        signed = ", with the same TWILIO_AUTH_TOKEN" if settings.twilio_auth_tokens else ""
        steps = [("call", f"plays the sample call here{signed}"), ("watch", "shows a call as it is spoken")]
        show(console, told, [(_next(settings, step), what) for step, what in steps])
        if not settings.webhook_url and not settings.bridge_endpoints:
            says = "prints the settings to start this with, and then what is posted"
            show(console, "To see what a webhook gets:", [(command("receive", elsewhere=True), says)])
    elif settings.twilio_account_sid and settings.public_url and not tunnel:
        told = "Next, to have a number's calls come here:"
        number = _next(settings, "number", "+15550123")
        show(console, told, [(number, "your number in place of this one")])
    if tunnel and not number:
        told = "To have a number's calls come here while the tunnel is open:"
        console_ = ("Twilio's console", "set the number's voice URL to the one above")
        again = ["serve", *(["--local"] if local else []), "--tunnel", "--number", "+15550123"]
        points = (_next(settings, *again), "points it here, and puts it back at the end")
        show(console, told, [points if settings.twilio_account_sid and settings.twilio_auth_tokens else console_])


def _next(settings: Settings, *words: str) -> str:
    """A command for another terminal, since the bridge serves in this one."""
    return command(*words, data_dir=settings.data_dir, elsewhere=True)


def show(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A title, and below it two columns: what can be copied is never broken, explanations are between words."""
    rows = list(rows)
    console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)
    wide = max(len(name) for name, _ in rows)
    beside = wide < console.width // 3 or all(wide + 4 + len(said) <= console.width for _, said in rows)
    at = wide + 4 if beside else 6
    for name, said in rows:
        line = Text(f"  {name}", style="cyan").append(" " * (at - 2 - len(name)) if beside else "\n" + " " * at)
        lines = _wrapped(said, console.width - at)
        console.print(line.append(("\n" + " " * at).join(lines), style="default"), soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    """A command in a sentence, between backticks, stays whole."""
    kept = re.sub(r"`[^`]+`", lambda found: found[0].replace(" ", _WHOLE), text)
    lines = textwrap.wrap(kept, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return [line.replace(_WHOLE, " ") for line in lines]


def _addresses(settings: Settings, place: Place) -> list[tuple[str, str]]:
    sockets = place.public_url.replace("http", "ws", 1) + TWILIO.path
    if settings.public_url and settings.answers_twilio:
        return [("voice URL", place.public_url + VOICE_PATH), ("media socket", sockets)]
    return [("media socket", sockets)]


def _events(settings: Settings) -> str:
    """Where they go; a webhook's path may be a secret."""
    places = []
    if settings.webhook_url:
        url = urlsplit(settings.webhook_url)
        places.append(f"{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}")
    if settings.bridge_endpoints:
        places.append(f"the endpoints of {short(settings.bridge_endpoints)}")
    if places:
        return f"posted to {' and '.join(places)}, kept in {settings.data_dir}"
    return f"kept in {settings.data_dir}; with WEBHOOK_URL they are posted too"
