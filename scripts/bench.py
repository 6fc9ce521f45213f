"""What a call costs and how late its audio and its words are, on one core, beside the least it could cost.

The target runs alone on the first core; callers, Deepgram and webhook run in this process on the second, with one
clock. Frames come evenly, one by one, as in life. The floor (`benchmark/floor.py`) gets the same load in turn with the
bridge. Of the rounds that nothing disturbed the one with the least CPU counts. Quote the ratios, with the number of
calls: the milliseconds are this machine's, and a call costs less the more there are.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.benchmark.authority import Authority  # noqa: E402
from scripts.benchmark.comparison import Run, best, show  # noqa: E402
from scripts.benchmark.generator import Figures, Frames, Generator, make_frames  # noqa: E402
from scripts.benchmark.peers import Broken  # noqa: E402
from scripts.benchmark.target import Target, free_port, take_second_core  # noqa: E402

ROOT = Path(__file__).parent.parent
MOST_CALLS = 400  # more than a core carries, and what the files that a process may open are enough for
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BRIDGE = {
    "HOST": "127.0.0.1",
    "DEEPGRAM_API_KEY": "key",
    "WEBHOOK_SECRET": SECRET,
    "TWILIO_SIGNATURE": "off",
    "BRIDGE_LOG_LEVEL": "warning",
    "BRIDGE_START_CHECKS": "false",
    "BRIDGE_STOP_TIMEOUT": "1",
}


class Bench(NamedTuple):
    """What holds for all loads."""

    frames: Frames
    seconds: float
    authority: Authority | None


def measure(run: Run, bench: Bench) -> Figures:
    """Start a target, load it, and stop it. Raises SystemExit if nothing could be measured."""
    authority = bench.authority if run.tls else None
    generator = Generator(bench.frames, authority.serving if authority else None)
    with tempfile.TemporaryDirectory() as folder:
        port = str(free_port())
        addresses = {"PORT": port, "DEEPGRAM_URL": generator.deepgram_url, "WEBHOOK_URL": generator.webhook_url}
        trusted = {"SSL_CERT_FILE": str(authority.certificate)} if authority else {}
        command = [sys.executable, "-m", "bridge", "serve"]
        if run.floor:
            command = [
                sys.executable,
                str(ROOT / "scripts/benchmark/floor.py"),
                port,
                generator.deepgram_url,
                run.floor,
            ]
        target = Target(run.title, command, {**BRIDGE, **addresses, **trusted, "DATA_DIR": folder})
        try:
            return generator.run(target, bench.seconds)
        except Broken as error:
            raise SystemExit(f"{run.title}: {error}\n{target.log()}") from None
        finally:
            target.stop()


def main(options: argparse.Namespace) -> None:
    """Measure all in turn, round by round."""
    floors = () if options.no_floor else ("json", "msgspec")
    runs = [Run(floor, tls) for floor in (*floors, "") for tls in ((False, True) if options.tls else (False,))]
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder)) if options.tls else None
        bench = Bench(make_frames(options.calls, options.seconds), options.seconds, authority)
        rounds = [{run: measure(run, bench) for run in runs} for _ in range(options.rounds)]
    show(
        {run: best([each[run] for each in rounds]) for run in runs},
        f"{options.calls} both-track calls at real-time pace on one core, {options.seconds:g} s",
    )


def parsed() -> argparse.Namespace:
    """What was chosen. Exits if it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0, help="measured, after everything has settled")
    parser.add_argument("--rounds", type=int, default=2, help="of each, in turn; the one with the least CPU counts")
    parser.add_argument("--no-floor", action="store_true", help="the bridge alone")
    parser.add_argument("--tls", action="store_true", help="all once more with Deepgram over TLS, as in life")
    options = parser.parse_args()
    if not 1 <= options.calls <= MOST_CALLS or options.seconds < 1 or options.rounds < 1:
        parser.error(f"at least one call (at most {MOST_CALLS}), one second, one round")
    return options


if __name__ == "__main__":
    chosen = parsed()
    take_second_core()
    os.environ.pop("SSL_CERT_FILE", None)  # one of this machine would be read with every context
    main(chosen)
