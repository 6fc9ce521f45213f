"""Terms that are searched for, found by how alike they are to what was heard.

Deepgram compares sounds. This compares letters, which finds a term that was misheard as something similar, too.
Source: https://developers.deepgram.com/docs/search
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

from bridge.local.features.phrases import bare, split, within
from bridge.recognition import Hit, Word
from bridge.spans import Span
from bridge.writing import joined

LEAST = 0.65
"""How alike a hit is at the least."""


def search(heard: Sequence[Word], written: Sequence[Word], terms: Sequence[str]) -> tuple[Hit, ...]:
    """The hits of every term, the likeliest first. `heard` is what is searched; `written` what of it may be shown."""
    return tuple(hit for term in terms for hit in _hits(heard, written, term))


def _hits(heard: Sequence[Word], written: Sequence[Word], term: str) -> list[Hit]:
    wanted = "".join(split(term))
    said = [bare(word) for word in heard]
    found = []
    longest = len(split(term)) + 1
    for start in range(len(said)):
        for end in range(start + 1, min(start + longest, len(said)) + 1):
            likeness = _likeness(wanted, "".join(said[start:end]))
            if likeness >= LEAST:
                found.append((likeness, start - end, start, end))
    hits: list[Hit] = []
    taken: set[int] = set()
    for likeness, _, start, end in sorted(found, key=lambda item: (-item[0], -item[1], item[2])):
        if not taken.intersection(range(start, end)):
            taken.update(range(start, end))
            hits.append(_hit(term, Span(heard[start].span.start, heard[end - 1].span.end), likeness, written))
    return hits


def _likeness(wanted: str, said: str) -> float:
    # Cheap bounds first: most words are nothing alike.
    matcher = SequenceMatcher(None, wanted, said, autojunk=False)
    if matcher.real_quick_ratio() < LEAST or matcher.quick_ratio() < LEAST:
        return 0.0
    return matcher.ratio()


def _hit(term: str, span: Span, likeness: float, written: Sequence[Word]) -> Hit:
    shown = within(written, span) or [word for word in written if word.span.start <= span.middle < word.span.end]
    return Hit(term, span, likeness, joined(word.word for word in shown))
