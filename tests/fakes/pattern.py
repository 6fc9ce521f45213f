"""Audio that is known again wherever it stands: what must be nowhere is looked for in everything."""

from pathlib import Path

MARK = bytes(range(0x21, 0x35))
"""Twenty octets that no coded word and no text of ours has."""

_PART = MARK[:8]


def marked(samples: int) -> bytes:
    """So much of it, of one track."""
    return (MARK * (samples // len(MARK) + 1))[:samples]


def is_in(octets: bytes | bytearray) -> bool:
    """Whether a millisecond of it stands in there, as one track, in either channel of two, or as it is in WAV."""
    ways = (octets, octets[0::2], octets[1::2], octets[0::4], octets[2::4])
    return any(any(_turned(turn) in way for turn in range(len(MARK))) for way in ways)


def files_with(folder: Path) -> list[str]:
    """The files below a folder in which it stands."""
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and is_in(path.read_bytes())]


def _turned(by: int) -> bytes:
    return (MARK[by:] + MARK[:by])[: len(_PART)]
