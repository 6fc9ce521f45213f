"""The disk, written to and flushed; and what is installed."""

import errno
import fcntl
import importlib.metadata
import os
import platform
import shutil
import socket
import tempfile
import time
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bridge.doctor.judging.host import Disk, Library
from bridge.store.opening import DATABASE

LOCK = Path(DATABASE).with_suffix(".lock").name
"""File in DATA_DIR that a process holds which has the record open."""

PACKAGE = "media-stream-bridge"

_BLOCK = b"\0" * 4096


def disk(data_dir: Path) -> Disk:
    """Of a folder that need not be there yet; blocks for as long as the disk takes. Nothing is left behind."""
    there = next(path for path in (data_dir, *data_dir.absolute().parents) if os.path.exists(path))
    mount = next(path for path in (there.absolute(), *there.absolute().parents) if os.path.ismount(path))
    free, bounds, took, fault = 0, None, 0.0, None
    try:
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "")
        free, bounds = shutil.disk_usage(there).free, os.statvfs(there)
        begun = time.perf_counter()
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(_BLOCK)
            file.flush()
            os.fsync(file.fileno())
        took = time.perf_counter() - begun
    except OSError as error:
        fault = errno.errorcode.get(error.errno or 0, "EIO")
    return Disk(str(there), free, bounds.f_favail if bounds and bounds.f_files else None, took, fault, str(mount))


def holder(data_dir: Path) -> int | None:
    """The process that has the lock of the record in a folder; 0: one that is not known; None: none has it."""
    lock = data_dir / LOCK
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _who_locks(lock)
    except OSError:
        return None  # there is none yet, or no way to it, which the look at the disk tells
    return None


def _who_locks(path: Path) -> int:
    """As Linux tells it."""
    inode = str(path.stat().st_ino)
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131073 0 EOF
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return max(0, int(words[4]))
    return 0


def listening(host: str, port: int) -> str | None:
    """Why no server could listen there, as the name of an error number; None: one could. Nothing is listened to."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server has it: what has ended is no one
            probe.bind((host, port))
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "EADDRNOTAVAIL")
    return None


def free_port(host: str, after: int) -> int:
    """The first of the ports after one at which a server could listen; 0, which is any, if none of the next hundred
    is."""
    following = range(after + 1, min(after + 101, 65536))
    return next((port for port in following if listening(host, port) is None), 0)


def python() -> str:
    """Its version."""
    return platform.python_version()


def libraries(package: str = PACKAGE) -> tuple[list[Library] | None, list[str]]:
    """Those that a package needs, and the extras of which everything is there; None if it is not installed."""
    try:
        about = importlib.metadata.metadata(package)
        needed = [Requirement(line) for line in importlib.metadata.requires(package) or ()]
    except (importlib.metadata.PackageNotFoundError, InvalidRequirement):
        return None, []
    always = [_library(each) for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    extras = [canonicalize_name(name) for name in about.get_all("Provides-Extra") or ()]
    whole = [
        extra
        for extra in extras
        if all(
            _library(each).suits
            for each in needed
            if each.marker and "extra" in str(each.marker) and each.marker.evaluate({"extra": extra})
        )
    ]
    return always, sorted(whole)


def _library(needed: Requirement) -> Library:
    try:
        found = importlib.metadata.version(needed.name)
    except importlib.metadata.PackageNotFoundError:
        return Library(needed.name, str(needed.specifier), None, suits=False)
    return Library(needed.name, str(needed.specifier), found, needed.specifier.contains(found, prereleases=True))
