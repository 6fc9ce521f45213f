"""One word for one thing, in plain English: the words that were given up stay away."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

RETIRED = {
    "nobody, somebody": "(?:no|some)body",
    "anew": "anew",
    "aloud": "aloud",
    "whoever": "whoever",
    "switchboard (registry)": "switchboard",
    "ledger (event writer)": "ledger",
    "digest (projection)": r"(?<!\.)(?<!hex)(?<!compare_)digest(?!\()",
    "wishes (options)": "wish(?:es)?",
    "door (handler)": "doors?",
    "happening (event)": "happenings?",
    "previews (interims)": "previews?",
    "gate (circuit breaker)": "gates?",
    "orphan (abandoned call)": "orphans?",
}
"""What was said, and in brackets what is said now."""

SUFFIXES = {".py", ".md", ".js", ".html", ".css", ".toml", ".sh", ""}


def texts():
    paths = [
        ROOT / "README.md",
        *(path for name in ("bridge", "twiml", "scripts") for path in (ROOT / name).rglob("*")),
    ]
    for path in paths:
        if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT), path.read_text()


def test_retired_words_stay_away():
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {word}"
        for path, text in texts()
        for word, pattern in RETIRED.items()
        for match in re.finditer(rf"(?<![A-Za-z])(?:{pattern})(?![a-z])", text, re.IGNORECASE)
    ]
    assert not found, "\n".join(["", *found])
