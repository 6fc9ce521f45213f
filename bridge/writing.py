"""How texts are written, in every script: where blanks stand, where a line may be broken, how wide it is.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and some others put no blanks between words, so texts of theirs are joined
without: everything that joins words or sentences asks here. Korean has blanks. The page has the same rule, in
`web/page/words.js`. After Unicode's annexes 11 (width), 14 (line breaking) and 29 (what is seen as one character), as
far as captions and a search need them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import category, east_asian_width

_IDEOGRAPHS = (
    "\u2e80-\u2fff"  # radicals
    "\u3000-\u312f"  # punctuation, hiragana, katakana, bopomofo
    "\u3190-\u31ff"
    "\u3220-\u325f\u3280-\u9fff"  # in circles and brackets, and Han itself; what lies between is Korean
    "\ua000-\ua4cf"  # Yi
    "\uf900-\ufaff\ufe30-\ufe4f"
    "\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff9f"  # wide punctuation and narrow katakana
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Scripts of China and Japan: no blanks, and a line may be broken between any two characters."""

_SYLLABLES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u109f"  # Tibetan, Burmese
    "\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"  # Khmer, Tai
    "\ua980-\ua9ff\uaa60-\uaadf"  # Javanese, Burmese, Tai
)
"""Scripts without blanks whose words only a dictionary tells apart."""

_UNSPACED = re.compile(f"[{_IDEOGRAPHS}{_SYLLABLES}]")

_OPENING = "(\\[{“‘«「『（【〔〈《｢［｛"
_CLOSING = (
    ",.!?;:)\\]}%”’»…、。，．：；？！）」』】〕〉》｡｣､％～］｝"
    "・ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮｧｨｩｪｫｯｬｭｮｰﾞﾟ\u3099\u309a\u200b"
)
"""What no line begins with; a zero-width space, which stands between words, goes with the word before it."""

_UNITS = re.compile(
    f"[{_OPENING}]{{0,4}}"
    f"(?:[{_IDEOGRAPHS}]|[^{_IDEOGRAPHS}\u200b]+?(?=\\Z|[{_OPENING}]{{0,4}}[{_IDEOGRAPHS}]|\u200b)|\u200b|\\Z)"
    f"[{_CLOSING}]*"
)

_JOINER = "\u200d"
_STACKING = "\u1039\u17d2"  # in Burmese and Khmer: what follows stands below


def joined(texts: Iterable[str]) -> str:
    """The texts, one after the other, as their scripts are written; empty ones are left out."""
    texts = [text for text in texts if text]
    if all(map(str.isascii, texts)):
        return " ".join(texts)
    parts = texts[:1]
    for before, text in zip(texts, texts[1:], strict=False):
        parts += [" ", text] if spaced(before, text) else [text]
    return "".join(parts)


def spaced(before: str, after: str) -> bool:
    """Whether a blank is written between two words, or sentences."""
    return not (_is_unspaced(reversed(before)) or _is_unspaced(after))


def _is_unspaced(characters: Iterable[str]) -> bool:
    """Whether the first character that belongs to a script belongs to one without blanks."""
    for character in characters:
        if character.isascii() and not character.isalnum():
            continue
        if _UNSPACED.match(character):
            return True
        if character.isalnum():
            return False
    return False


def unbroken(text: str) -> str:
    """The text without line ends: a blank stands there, where its script has blanks."""
    return joined(text.splitlines())


def slices(text: str, words: Sequence[str]) -> list[str] | None:
    """The text cut before each of its words but the first; None: not all of them are in it, in this order."""
    places = []
    at = 0
    for word in words:
        at = text.find(word, at)
        if at < 0:
            return None
        places.append(at)
        at += len(word)
    ends = [*places[1:], len(text)]
    return [text[start:end] for start, end in zip([0, *places[1:]], ends, strict=True)] if words else []


def units(text: str) -> list[str]:
    """A text without blanks, cut where a line may be broken: around ideographs, and at zero-width spaces.

    No unit begins with a closing mark, or ends with an opening one.
    """
    return [text] if text.isascii() else [unit for unit in _UNITS.findall(text) if unit]


def characters(text: str) -> Iterator[str]:
    """What is seen as one character each: with its marks, and what stands below it."""
    found = ""
    for character in text:
        if found and not _goes_on(found[-1], character):
            yield found
            found = ""
        found += character
    if found:
        yield found


def _goes_on(before: str, character: str) -> bool:
    if character.isascii():
        return False
    return (
        before == _JOINER
        or before in _STACKING
        or character == _JOINER
        or category(character) in ("Mn", "Me", "Mc")
        or character in "\u0e33\u0eb3\uff9e\uff9f"  # vowels and voicing that follow their consonant
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # colours of a skin
        or "\u1160" <= character <= "\u11ff"  # what a Korean syllable goes on with
    )


def is_unspaced(character: str) -> bool:
    """Whether a character, with its marks or without, is of a script without blanks."""
    return _UNSPACED.match(character) is not None


def width(text: str) -> int:
    """Columns on a terminal, or in a caption: two for an ideograph, none for a mark on another character."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> list[str]:
    """A text in parts of at most so many columns: between units where it can be, and never within a character."""
    parts = [""]
    room = columns
    for unit in units(text):
        for piece in [unit] if width(unit) <= columns else characters(unit):
            needed = width(piece)
            if needed > room and parts[-1]:
                parts.append("")
                room = columns
            parts[-1] += piece
            room -= needed
    return parts
