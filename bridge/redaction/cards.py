"""Card numbers among digits: by the ranges of the card schemes, their lengths, and the checksum.

Sources: ISO/IEC 7812-1 (the numbers, and the Luhn checksum in its annex B), and the ranges that the schemes publish.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

SHORTEST, LONGEST = 13, 19

_SCHEMES: tuple[tuple[range, tuple[int, ...]], ...] = (
    (range(4, 5), (16, 13, 19)),  # Visa
    (range(51, 56), (16,)),  # Mastercard
    (range(2221, 2721), (16,)),
    (range(34, 35), (15,)),  # American Express
    (range(37, 38), (15,)),
    (range(36, 37), (14, 16, 19)),  # Diners Club
    (range(38, 40), (14, 16, 19)),
    (range(300, 306), (14, 16, 19)),
    (range(3095, 3096), (14, 16, 19)),
    (range(6011, 6012), (16, 19)),  # Discover
    (range(644, 660), (16, 19)),
    (range(62, 63), (16, 17, 18, 19)),  # UnionPay
    (range(3528, 3590), (16, 19)),  # JCB
    (range(2200, 2205), (16, 17, 18, 19)),  # Mir
    (range(50, 51), (16, 19, 13, 14, 15, 17, 18)),  # Maestro, RuPay and others
    (range(56, 59), (16, 19, 13, 14, 15, 17, 18)),
    (range(60, 70), (16, 19, 13, 14, 15, 17, 18)),
    (range(81, 83), (16,)),
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def passes(digits: str) -> bool:
    """Whether the last digit is the checksum of the others."""
    backwards = [int(digit) for digit in reversed(digits)]
    return (sum(backwards[::2]) + sum(_DOUBLED[digit] for digit in backwards[1::2])) % 10 == 0


def lengths(digits: str) -> Iterator[int]:
    """How long a card number is that begins with these digits, the likeliest first."""
    told = set()
    for prefixes, those in _SCHEMES:
        if int(digits[: len(str(prefixes.start))]) in prefixes:
            for length in those:
                if length not in told:
                    told.add(length)
                    yield length


def is_begun(digits: str) -> bool:
    """Whether a card number may begin like this and go on."""
    if not digits or len(digits) >= LONGEST:
        return False
    for prefixes, those in _SCHEMES:
        known = min(len(digits), len(str(prefixes.start)))
        first, last = str(prefixes.start)[:known], str(prefixes.stop - 1)[:known]
        if first <= digits[:known] <= last and len(digits) < max(those):
            return True
    return False


def cards(atoms: Sequence[str]) -> list[tuple[int, int]]:
    """Which atoms of a run are card numbers: first and last of each, from the left."""
    ends = list(accumulate(map(len, atoms)))
    starts = [0, *ends[:-1]]
    place_of = {end: place for place, end in enumerate(ends)}
    digits = "".join(atoms)
    found: list[tuple[int, int]] = []
    at = 0
    for place, start in enumerate(starts):
        if start < at or len(digits) - start < SHORTEST:
            continue
        for length in lengths(digits[start : start + 4]):
            end = start + length
            if end in place_of and passes(digits[start:end]):
                found.append((place, place_of[end]))
                at = end
                break
    return found
