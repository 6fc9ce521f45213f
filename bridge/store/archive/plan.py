"""What has to be done for the objects of a call's kept audio to be as its files are."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from bridge.audio import CHANNELS
from bridge.store.base import Whose

_SEGMENT = re.compile(r"(\d{12})\.ulaw", re.ASCII)
_MARK = re.compile(r"(\d{12})\.dropped", re.ASCII)
_NOTE = "call.json"


class Plan(NamedTuple):
    """Names of files."""

    put: list[str]
    """Written in this order."""
    remove: list[str]
    """Deleted after that."""


def is_audio(name: str) -> bool:
    """Whether a file is part of kept audio."""
    return name == _NOTE or bool(_SEGMENT.fullmatch(name) or _MARK.fullmatch(name))


def may_bring(whose: Whose) -> bool:
    """Whether this process brings the audio of a call to the object store. Of a call that is no one's it has been left
    here by a process before this one."""
    return whose in (Whose.OURS, Whose.NO_ONES)


def may_touch(whose: Whose, *, gone: bool) -> bool:
    """Whether it may have the objects of kept audio as its files are. `gone`: none of it is needed any more, which only
    the owner knows; of a call that was deleted no one needs any, and nothing more is brought."""
    match whose:
        case Whose.OURS:
            return True
        case Whose.NO_ONES:
            return not gone
        case Whose.OTHERS:
            return False
        case Whose.UNKNOWN:
            return gone


def plan(
    local: Mapping[str, int], there: Mapping[str, int], *, settled: int = 0, grows: bool = False, gone: bool = False
) -> Plan:
    """`local`: the files of a call, with their octets; `there`: its objects. Audio before `settled`, in samples, need
    not be there; `grows`: the newest file does, and is left for later; `gone`: none of it is needed any more.

    An object without a file stays, unless its audio is known to be settled: it may be another process's.
    """
    if gone:
        return Plan([], sorted(there))
    segments = sorted(name for name in local if _SEGMENT.fullmatch(name))
    wanted = [name for name in segments[: -1 if grows else None] if _end(name, local[name]) > settled]
    marks = sorted(name for name in local if _MARK.fullmatch(name))
    put = [name for name in (*wanted, *marks) if there.get(name) != local[name]]
    if _NOTE in local and (put or (not grows and there.get(_NOTE) != local[_NOTE])):
        put.append(_NOTE)  # last: it says what all of the audio before it does not
    dropped = max((int(name[:12]) for name in marks), default=0)
    left = (name for name in there if name not in local and name != _NOTE)
    return Plan(put, sorted(name for name in left if _end(name, there[name]) <= dropped))


def _end(name: str, octets: int) -> int:
    """Of a segment; of a mark, the place that it names."""
    return int(name[:12]) + octets // CHANNELS
