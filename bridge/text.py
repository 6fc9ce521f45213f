"""Text on one line: for people, and as JSON in a feed; and a time of a call.

Use `plain` for every text of a peer that is shown or written. It escapes nothing: the code that writes HTML, SubRip or
a terminal's colours does that.
"""

import re

from bridge.writing import unbroken

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u206f\ud800-\udfff]+")
"""Control characters that are not white space, marks that override the direction of text, and lone surrogates. The
marks and joiners that Hebrew, Persian and emoji need are not among them."""

_SHORTEST_SECRET = 8  # characters


def plain(text: str) -> str:
    """The text on one line, with single blanks, without characters that could control a terminal or mislead readers."""
    return " ".join(unbroken(_UNPRINTABLE.sub("", text)).split())


_LINE_ENDS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}
"""Line ends to many a reader of lines, and letters like any other to JSON, which escapes the rest."""


def json_line(text: str) -> str:
    """JSON without line breaks, so that it is one line to every reader."""
    return text if text.isascii() else text.translate(_LINE_ENDS)


def hide(text: str, secret: str) -> str:
    """The text of a peer that may echo a secret of ours, without it. What is short is no secret: `local`, for one."""
    return text.replace(secret, "…") if len(secret) >= _SHORTEST_SECRET else text


def clock(seconds: float) -> str:
    """Seconds of a call as `MM:SS.s`, or `H:MM:SS.s`."""
    minutes, tenths = divmod(max(0, round(seconds * 10)), 600)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}:' if hours else ''}{minutes:02d}:{tenths / 10:04.1f}"
