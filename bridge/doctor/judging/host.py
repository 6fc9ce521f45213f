"""The machine: its clock, its disk, the files that may be open, the versions of what is installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.doctor.finding import Finding, broken, doubt, fine, skipped

CLOCK, DISK, FILES, VERSIONS, SERVING = "clock", "disk", "files", "versions", "serving"

_NEAR, _FAR = 5.0, 60.0
"""Seconds. A date has whole seconds, and was on its way; receivers refuse signatures that are five minutes off."""
_LEAST_FREE = 500_000_000
"""Octets; a call-hour of kept audio takes 58 million."""
_LEAST_FILES = 1000
"""That can still be made on a file system."""
_SLOW = 0.25
"""Seconds for a write and an fsync: every commit waits for one."""
_MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """Where the record is kept."""

    folder: str
    """As it may be shown; the nearest one that is there."""
    free: int = 0
    """Octets."""
    files_free: int | None = None
    """None: its file system has no such bound."""
    took: float = 0.0
    """Seconds for a write and an fsync."""
    fault: str | None = None
    """The name of the error number that a write met."""
    mount: str = "/"
    """Where its file system is mounted."""


_ROOM = "make room: du -axh {folder} | sort -h | tail"
_OWN = ("{folder} cannot be written by this user", "sudo chown -R $(id -un) {folder}, or set DATA_DIR elsewhere")
_FAULTS = {
    "ENOSPC": ("the disk of {folder} is full", _ROOM),
    "EDQUOT": ("the quota of {folder} is used up", f"{_ROOM}; or have the quota raised"),
    "EROFS": (
        "{folder} is on a file system that is read-only",
        "mount it writable (mount -o remount,rw {mount}), or set DATA_DIR elsewhere",
    ),
    "EACCES": _OWN,
    "EPERM": _OWN,
    "ENOTDIR": ("{folder} is a file", "set DATA_DIR to a folder"),
    "EIO": ("the disk of {folder} fails", "look at dmesg, and save what can be saved: bridge backup"),
}


def clock(skews: Mapping[str, float | None]) -> Finding:
    """`skews`: by how many seconds our clock is ahead of each peer's; None: it did not tell."""
    told = {peer: skew for peer, skew in skews.items() if skew is not None}
    if not told:
        return skipped(CLOCK, "no peer has told the time to compare the clock with")
    peer, skew = min(told.items(), key=lambda each: abs(each[1]))  # a peer's own may be wrong
    if abs(skew) <= _NEAR:
        return fine(CLOCK, f"the clock agrees with {peer}'s")
    said = f"the clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {peer}'s"
    remedy = "set it by the network: timedatectl set-ntp true; receivers refuse signatures by a wrong clock"
    return (doubt if abs(skew) <= _FAR else broken)(CLOCK, said, remedy)


def disk(found: Disk, audio: int, recordings: int | None) -> list[Finding]:
    """`audio`: octets that kept audio may take, `recordings`: that recordings may; None: there are none."""
    folder = found.folder
    if found.fault == "ENOSPC" and found.files_free == 0:
        return [_no_files(found)]
    if found.fault:
        said, remedy = _FAULTS.get(found.fault, ("{folder} cannot be written", "set DATA_DIR to a folder that can be"))
        code = f" ({found.fault})"
        return [broken(DISK, said.format(folder=folder) + code, remedy.format(folder=folder, mount=found.mount))]
    if found.free < _LEAST_FREE:
        said = f"only {found.free / _MEGA:,.0f} MB are free for DATA_DIR"
        return [broken(DISK, said, _ROOM.format(folder=folder))]
    findings = []
    if found.files_free is not None and found.files_free < _LEAST_FILES:
        findings.append(_no_files(found))
    if found.took > _SLOW:
        said = f"a small write to DATA_DIR takes {found.took:.2f} s"
        findings.append(doubt(DISK, said, "put DATA_DIR on a disk of this machine: every event waits for such a write"))
    for what, setting, limit in (
        ("kept audio", "BRIDGE_AUDIO_LIMIT", audio),
        ("recordings", "BRIDGE_RECORDING_LIMIT", recordings),
    ):
        if limit is not None and limit > found.free:
            said = f"{what} may take {limit / _MEGA:,.0f} MB, and {found.free / _MEGA:,.0f} MB are free"
            findings.append(doubt(DISK, said, f"{setting}={int(found.free / _MEGA / 2)}, or give DATA_DIR more room"))
    return findings or [fine(DISK, f"DATA_DIR can be written, {found.free / _MEGA:,.0f} MB are free")]


def _no_files(found: Disk) -> Finding:
    left = f"only {found.files_free}" if found.files_free else "no"
    said = f"{left} more files can be made on the file system of DATA_DIR"
    return broken(DISK, said, f"make room for files: du --inodes -x {found.mount} | sort -n | tail")


def files(limit: int, enough_for: int, calls: int) -> Finding:
    """`limit`: of open files; `enough_for`: calls; `calls`: that there may be, by BRIDGE_MAX_CALLS."""
    if enough_for >= calls:
        return fine(FILES, f"{limit} files may be open: enough for {calls} calls")
    said = f"{limit} files may be open: enough for {enough_for} calls, not for {calls}"
    remedy = (
        f"ulimit -n {limit * calls // max(1, enough_for) + 1} (systemd: LimitNOFILE), or BRIDGE_MAX_CALLS={enough_for}"
    )
    return (doubt if enough_for else broken)(FILES, said, remedy)


def served(url: str) -> Finding:
    """A bridge answers there, which has DATA_DIR."""
    return fine(SERVING, f"a bridge serves at {url} with this DATA_DIR")


def held(holder: int, folder: str) -> Finding:
    """The process `holder` has the record in a folder, and no bridge answers where one should; 0: it is not known."""
    process = f"process {holder}" if holder else "another process"
    end = f"end it (kill {holder})" if holder else "end it"
    remedy = f"{end}, or set DATA_DIR to a folder of its own: a record has one process"
    return broken(SERVING, f"{process} has the record in {folder}, and serves nothing here", remedy)


def place(fault: str | None, host: str, port: int, *, free: int = 0, local: bool = False) -> Finding:
    """Whether a bridge could listen there. `fault`: the name of the error number that says it could not. `free`: a port
    at which it could. `local`: it would be one with `--local`."""
    where = f"port {port} of {host}" if host not in ("0.0.0.0", "::") else f"port {port}"
    match fault:
        case None:
            return skipped(
                SERVING, f"no bridge serves here; {where} is free for one", f"bridge serve{' --local' if local else ''}"
            )
        case "EADDRINUSE":
            remedy = f"end what listens there (ss -ltnp sport = :{port}), or set PORT={free}"
            return broken(SERVING, f"another program listens at {where}", remedy)
        case "EACCES":
            said = f"this user may not listen at {where}"
            return broken(SERVING, said, "set PORT=8080: ports below 1024 are the system's")
        case _:
            remedy = "unset HOST: then all addresses of this machine are listened at"
            return broken(SERVING, f"{host} is no address of this machine ({fault})", remedy)


@dataclass(frozen=True, slots=True)
class Library:
    """One that is needed."""

    name: str
    wanted: str
    """As pyproject.toml has it: `>=3.14`."""
    found: str | None
    """None: it is not installed."""
    suits: bool


def versions(python: str, libraries: Sequence[Library] | None, extras: Sequence[str]) -> list[Finding]:
    """`libraries`: None where the bridge is not installed, and it cannot be told. `extras`: that are there whole."""
    if libraries is None:
        return [skipped(VERSIONS, "the bridge runs from its folder, and is not installed", "pip install .")]
    findings = [
        broken(
            VERSIONS,
            f"{each.name} {each.found or 'is not installed'}, {each.wanted} is needed",
            f"pip install -U '{each.name}{each.wanted}'",
        )
        for each in libraries
        if not each.suits
    ]
    there = f"; extras: {', '.join(extras)}" if extras else "; no extras"
    return findings or [fine(VERSIONS, f"Python {python}, {len(libraries)} libraries new enough{there}")]
