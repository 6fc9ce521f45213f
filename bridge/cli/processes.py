"""`bridge serve --processes N`: what each of the processes is told, and what is looked at before they start.

They share the port, by SO_REUSEPORT; the kernel gives each connection to one of them. Each has a folder of its own in
`DATA_DIR`, and a port of its own, on which it tells how it is: at the shared one, one of them answers for itself.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from bridge.config import Settings
from bridge.errors import ConfigError
from bridge.parts import read_tokens
from bridge.store.audio.store import FOLDER as AUDIO
from bridge.store.token import FILENAME as TOKEN_FILE
from bridge.supervisor import Supervisor
from bridge.web.server import cannot_listen, check_free

log = logging.getLogger("bridge.supervisor")

MOST = 64
"""Processes; a machine has hardly more cores to give."""

_OWN = "process-"
"""What their folders begin with."""


def check(settings: Settings, *, local: bool, tunnel: bool) -> None:
    """Raises ConfigError where several processes could not work, though one could."""
    if local or tunnel:
        raise ConfigError("--processes is for a machine that serves by itself: leave --local and --tunnel out")
    if not sys.platform.startswith("linux"):
        raise ConfigError("--processes needs Linux, where the processes share a port; start one of them")
    if not settings.database_url:
        raise ConfigError(
            "--processes needs DATABASE_URL: a record in SQLite is one process's; set it, or leave --processes out"
        )
    if settings.bridge_metrics == "token":
        raise ConfigError(
            "BRIDGE_METRICS=token is for one process, and with --processes each has a port of its own; set the first "
            "of these, such as 127.0.0.1:9090, or unset BRIDGE_METRICS"
        )


def own_places(settings: Settings, count: int) -> list[tuple[str, int]]:
    """Where each process tells how it is: at the port of BRIDGE_METRICS and those after it, else on loopback at those
    after PORT. Raises ConfigError."""
    host, first = settings.metrics_address or ("127.0.0.1", settings.port + 1)
    if first + count - 1 > 65535:
        raise ConfigError(
            "there are not enough ports for the metrics of all processes; set BRIDGE_METRICS to a lower one"
        )
    return [(host, first + at) for at in range(count)]


def environment_of(
    number: int, settings: Settings, environment: Mapping[str, str], place: tuple[str, int]
) -> dict[str, str]:
    """The environment of process `number`, which counts from 1. `place`: where it tells how it is."""
    host, port = place
    reached_at = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - what listens everywhere
    return {
        **environment,
        "DATA_DIR": str(settings.data_dir / f"{_OWN}{number}"),
        "PORT": str(settings.port),
        "BRIDGE_ROLE": settings.bridge_role,
        "BRIDGE_METRICS": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "BRIDGE_NODE_URL": f"http://[{reached_at}]:{port}" if ":" in reached_at else f"http://{reached_at}:{port}",
        "BRIDGE_READ_TOKENS": " ".join(read_tokens(settings)),
    }


def left_behind(data_dir: Path, count: int) -> list[Path]:
    """The folders with kept audio that is none of these processes': there were more of them, or one alone."""
    own = {f"{_OWN}{number}" for number in range(1, count + 1)}
    others = [data_dir, *(path for path in sorted(data_dir.glob(f"{_OWN}*")) if path.name not in own)]
    return [path for path in others if next((path / AUDIO).glob("*"), None)]


async def supervise(settings: Settings, count: int) -> int:
    """Have so many processes serve until SIGTERM or SIGINT; the status to exit with. Raises ConfigError."""
    places = own_places(settings, count)
    for setting, place in (("PORT", (settings.host, settings.port)), *(("BRIDGE_METRICS", each) for each in places)):
        try:
            await check_free(*place)
        except OSError as error:
            raise cannot_listen(*place, setting, error) from error
    for folder in left_behind(settings.data_dir, count):
        remedy = "stop this, and start `bridge serve` once with the folder as its DATA_DIR, until it has transcribed it"
        log.warning("there is audio of a process that does not run", extra={"path": str(folder), "remedy": remedy})
    environments = [environment_of(at, settings, os.environ, place) for at, place in enumerate(places, 1)]
    supervisor = Supervisor([sys.executable, "-m", "bridge", "serve", "--supervised"], environments)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    log.info("serving by several processes", extra={"processes": count, "port": settings.port})
    if not settings.read_tokens:
        log.info("read the calls with the token in this file", extra={"file": str(settings.data_dir / TOKEN_FILE)})
    return await supervisor.run()


def end_with_supervisor() -> None:
    """Have this process stop, as by SIGTERM, once the one that has started it is gone: then its input ends."""
    loop, source = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        if not os.read(source, 1024):
            loop.remove_reader(source)
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(source, read)
