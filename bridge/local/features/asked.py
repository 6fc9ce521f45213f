"""What a request wants done with the words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Features:
    """All that can be asked for; nothing by default."""

    keyterms: tuple[str, ...] = ()
    """Terms, spelled as they are to be written."""
    dictation: bool = False
    """Spoken punctuation is written as marks."""
    numerals: bool = False
    """Numbers are written in digits."""
    profanity_filter: bool = False
    replace: tuple[tuple[str, str], ...] = ()
    """What to find, and what to write for it; nothing: leave it out."""
    redact: frozenset[str] = frozenset()
    """Groups and kinds of entities that are not to be read, as `redaction` names them."""
    detect_entities: bool = False
    search: tuple[str, ...] = ()
    """Terms or phrases."""
    alternatives: int = 1
    """How many transcripts of the same words, at the most."""


NOTHING = Features()
