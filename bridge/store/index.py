"""What the full-text index is given of a text, so that a search finds words in every script.

SQLite's tokenizer knows a word by what stands around it. In a script without blanks a whole sentence would be one word;
so each character of such a script is made a word of its own, with a separator that nothing shows, and what is looked
for is cut in the same way and becomes a phrase: it is found wherever those characters follow each other. That costs
no second index, and texts of other scripts stay as they are.
"""

import re
import sqlite3
from unicodedata import normalize

from bridge.writing import characters, is_unspaced

SEPARATOR = "\u200b"
"""A zero-width space."""

_WIDE_AND_NARROW = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9f]+")


_TERMS = re.compile(r'"([^"]*)"?|([^\s"]+)')


def wanted(text: str) -> list[tuple[str, bool]]:
    """What a search looks for: words, phrases in quotation marks, and whether each is only a beginning (`begin*`)."""
    found = []
    for phrase, word in _TERMS.findall(text.replace("\0", " ")):
        bare = (phrase or word).rstrip("*")
        if any(character.isalnum() for character in bare):
            found.append((bare, word.endswith("*")))
    return found


def add_function(connection: sqlite3.Connection) -> None:
    """Give SQL the function `indexed`, which the schema's migrations need."""
    connection.create_function("indexed", 1, indexed, deterministic=True)


def indexed(text: str) -> str:
    """A text as it is indexed, or looked for: in one spelling, and with separators in scripts without blanks."""
    if text.isascii():
        return text
    # Full-width letters and half-width katakana are other spellings of the same, and so are accents that stand apart.
    text = normalize("NFC", _WIDE_AND_NARROW.sub(lambda found: normalize("NFKC", found[0]), text))
    parts: list[str] = []
    before = False
    for character in characters(text):
        unspaced = is_unspaced(character)
        parts += [SEPARATOR, character] if parts and (unspaced or before) else [character]
        before = unspaced
    return "".join(parts)


def shown(text: str) -> str:
    """An indexed text, or a part of one, as it is read."""
    return text.replace(SEPARATOR, "")
