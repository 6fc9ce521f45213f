"""Text for people: a piece of it on one line, and a moment of a call.

For whatever is shown or written as text and came from somebody else. It knows no format: what HTML, SubRip or a
terminal's colours want of a text is the business of whoever writes them.
"""

import re

_STEERING = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u206f\ud800-\udfff]+")
"""What has no place in a text: control characters that are no white space, those that turn its direction, and halves of
characters. The marks and joiners that Hebrew, Persian and emoji are spelled with are left."""


def plain(text: str) -> str:
    """The text on one line, its white space single blanks, without what could steer a terminal or its reader."""
    return " ".join(_STEERING.sub("", text).split())


def clock(seconds: float) -> str:
    """Seconds of a call as `MM:SS.s`, or `H:MM:SS.s`."""
    minutes, tenths = divmod(max(0, round(seconds * 10)), 600)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}:' if hours else ''}{minutes:02d}:{tenths / 10:04.1f}"
