"""Finds the name that a misspelt one was meant to be.

A name alone is looked at, never a value: that may be a secret.
"""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

LIKE = 0.75
"""How much a name among names of one kind resembles the one that it was meant to be; 1: the same."""
HINT = 0.6
"""The same where the name is wrong in any case, and the other one is only a hint."""
VERY_LIKE = 0.85
"""The same for names of every kind: another program may have one much like ours in the same place."""


def nearest(name: str, known: Iterable[str], likeness: float = LIKE) -> str | None:
    """The known name that this one resembles most, if it does. Case, blanks around it, `-` for `_` do not matter."""
    spelled = {_plain(other): other for other in known}
    found = get_close_matches(_plain(name), spelled, n=1, cutoff=likeness)
    return spelled[found[0]] if found else None


def misspelt(names: Collection[str], known: Collection[str], *, prefix: str, common: Collection[str]) -> Iterator[str]:
    """A sentence for each of the environment's names that must have been meant as one that is known and not there.

    All with the prefix are ours. Of the known names, the common ones are taken to be meant only by their own letters.
    """
    absent = sorted(set(known) - set(names))
    rare = [name for name in absent if name not in common]
    for name in sorted(set(names) - set(known)):
        if name.startswith(prefix):
            # What all of them have in common tells none from another.
            meant = nearest(
                name[len(prefix) :], [other[len(prefix) :] for other in rare if other.startswith(prefix)], HINT
            )
            hint = f" (did you mean {prefix}{meant}?)" if meant else ""
            yield f"unknown setting {_shown(name)}{hint}; bridge/docs/settings.md lists them all"
        elif meant := nearest(name, rare, VERY_LIKE) or nearest(name, absent, 1.0):
            yield (
                f"{_shown(name)} is no setting of the bridge (did you mean {meant}?); "
                f"if it is another program's, set {meant} too, even if empty"
            )


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)
