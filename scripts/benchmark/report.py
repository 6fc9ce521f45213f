"""How figures are shown: percentiles in a table, and below it on what they were measured."""

import contextlib
import os
import platform
import sqlite3
import statistics
from importlib.metadata import version
from pathlib import Path

from rich.console import Console


def percentiles(values):
    if len(values) < 2:
        return "–", "–"
    highest = statistics.quantiles(values, n=100, method="inclusive")[98]
    return f"{statistics.median(values):.1f}", f"{highest:.1f}"


def report(table, *libraries):
    """Print a table, the versions that matter to it, the machine, and how busy others kept it."""
    console = Console(width=110)
    console.print(table)
    versions = [f"{name} {version(name)}" for name in libraries]
    console.print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {', '.join(versions)}")
    console.print(f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    console.print(f"load of the last minute {os.getloadavg()[0]:.1f}")


def processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
