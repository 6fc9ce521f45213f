"""What is not to be read among the words of one speaker, and what may go on in words that are still to come."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.audio import SAMPLE_RATE
from bridge.redaction import cues
from bridge.redaction.addresses import Address, addresses, begun, is_cue
from bridge.redaction.cards import LONGEST, SHORTEST, cards, is_begun
from bridge.redaction.cues import Cue
from bridge.redaction.numbers import Run, is_telephone, only_fillers, runs
from bridge.redaction.rules import NUMBERS, Rules
from bridge.redaction.tokens import Hidden, Token
from bridge.spans import Span
from bridge.writing import joined

APART = 30 * SAMPLE_RATE
"""Samples after which digits do not go on with those before."""

AFTER_CARD = 60 * SAMPLE_RATE
"""Samples after a card number in which its code and its date may follow."""

_NEAR = 10 * SAMPLE_RATE  # what is this near to something that was taken out may be more of it
_ENOUGH = 4  # digits in a row that `digits` takes out
_HALF = 6  # digits that are part of a card number, where one speaks of cards
_LONGEST_PHONE = 15
_GROWING = 5  # digits in a row that no interim shows
_CODE = (3, 4)
_FEW = 3  # digits at the end of a final that may become more, where nothing says so before
_SHORT = 4  # words that may be no more than the beginning of an address


@dataclass(frozen=True, slots=True)
class Carry:
    """Digits that ended the words before these."""

    atoms: tuple[str, ...]
    kind: str | None
    """What stands for them; None: they were let through."""
    end: int


@dataclass(frozen=True, slots=True)
class Context:
    """What was said before, and what is known of later."""

    languages: frozenset[str] = frozenset()
    carry: Carry | None = None
    card_at: int | None = None
    """Where the last card number ended, of either speaker."""
    cue: Cue | None = None
    """The last one, of either speaker."""
    taken_out: tuple[tuple[str, Span], ...] = ()
    """What of this speaker was taken out by others, near here."""


@dataclass(slots=True)
class Found:
    """What was found."""

    hidden: list[Hidden] = field(default_factory=list)
    begun: int | None = None
    """The token with which something begins that may go on after the last one."""
    tail: Run | None = None
    """The digits at the end, if some are there."""
    whole: bool = False
    """These digits go on with the carry."""


def find(tokens: Sequence[Token], rules: Rules, context: Context, *, growing: bool = False, cut: bool = False) -> Found:
    """`growing`: of an interim, whose last words may become others. `cut`: what follows will be heard by others."""
    return _Search(tokens, rules, context, growing=growing, cut=cut).run()


@dataclass(frozen=True, slots=True)
class _Part:
    """What of a run is no card number."""

    run: Run
    carry: Carry | None
    is_last: bool
    follows: bool = False
    """A card number, or its date, without a word between."""


class _Search:
    def __init__(self, tokens: Sequence[Token], rules: Rules, context: Context, *, growing: bool, cut: bool) -> None:
        self._tokens, self._rules, self._context = tokens, rules, context
        self._growing, self._cut = growing, cut
        self._words = [token.bare for token in tokens]
        self._taken: set[int] = set()
        self._found = Found()
        self._card_at = context.card_at

    def run(self) -> Found:
        if self._rules.patterns:
            self._search_patterns()
        kinds = self._rules.kinds
        if "email" in kinds:
            self._search_addresses()
        if kinds & NUMBERS:
            self._search_numbers()
        self._found.hidden.sort(key=lambda hidden: hidden.first)
        return self._found

    def _hide(self, kind: str, first: int, last: int) -> None:
        """All of it, but for what is hidden already."""
        free = [place for place in range(first, last + 1) if place not in self._taken]
        self._taken.update(free)
        start = 0
        for at in range(1, len(free) + 1):
            if at == len(free) or free[at] != free[at - 1] + 1:
                self._found.hidden.append(Hidden(kind, free[start], free[at - 1]))
                start = at

    def _search_patterns(self) -> None:
        texts = [token.text for token in self._tokens]
        text, ends = joined(texts), []
        at = 0
        for each in texts:
            at = text.index(each, at) + len(each)
            ends.append(at)
        starts = [end - len(each) for end, each in zip(ends, texts, strict=True)]
        for pattern in self._rules.patterns:
            for start, end in pattern.spans(text):
                first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
                if start < end and first <= last:
                    self._hide(pattern.label, first, last)

    def _search_addresses(self) -> None:
        for address in addresses(self._words):
            self._hide("email", *address)
        asked = self._context.cue is not None and self._context.cue.kind == "email"
        first = begun(self._words, asked=asked)
        if first is not None and first not in self._taken:
            if self._growing or self._cut:
                self._hide("email", *Address(first, len(self._words) - 1))
            self._begin(first)
        elif (asked or any(map(is_cue, self._words))) and 0 < len(self._words) <= _SHORT and not self._growing:
            self._begin(len(self._words) - 1)  # "bob", and then "at example dot com"

    def _begin(self, place: int) -> None:
        begun = self._found.begun
        self._found.begun = place if begun is None else min(begun, place)

    # Numbers.

    def _search_numbers(self) -> None:
        left: list[_Part] = []
        for run in runs(self._words, self._context.languages):
            carry = self._carry(run)
            is_last = only_fillers(self._words[run.last + 1 :])
            if is_last:
                self._found.tail, self._found.whole = run, carry is not None
            if kind := self._goes_on(run, carry):
                self._hide(kind, run.first, run.last)
            else:
                left += self._take_cards(run, carry, is_last=is_last)
        if "card" in self._rules.kinds:  # once it is known where the cards are
            for date in cues.dates(self._words):
                self._take_date(date)
            left = [part for whole in left for part in self._take_dated(whole)]
        for part in left:
            self._take_other(part)

    def _carry(self, run: Run) -> Carry | None:
        carry = self._context.carry
        if carry and only_fillers(self._words[: run.first]) and self._start(run) - carry.end < APART:
            return carry
        return None

    def _start(self, run: Run) -> int:
        return self._tokens[run.first].span.start

    def _end(self, run: Run) -> int:
        return self._tokens[run.last].span.end

    def _goes_on(self, run: Run, carry: Carry | None) -> str | None:
        """What a run is more of."""
        if carry and carry.kind and not self._is_after_card(run):
            return carry.kind
        for kind, span in self._context.taken_out:
            near = self._start(run) < span.end + _NEAR and self._end(run) > span.start - _NEAR
            if near and kind in NUMBERS and len(run.digits) > 1 and not run.measured:
                return kind
        return None

    def _is_after_card(self, run: Run) -> bool:
        return self._card_at is not None and 0 <= self._start(run) - self._card_at < AFTER_CARD

    def _take_cards(self, run: Run, carry: Carry | None, *, is_last: bool) -> list["_Part"]:
        """What is left of a run without its card numbers."""
        if "card" not in self._rules.kinds:
            return [_Part(run, carry, is_last)]
        before = carry.atoms if carry and carry.kind is None else ()
        at = 0
        for _, last in cards([*before, *(atom.digits for atom in run.atoms)]):
            last -= len(before)
            if last < 0:
                continue
            # With what is read in one go before it: it may be the beginning of one that is not all there yet.
            self._hide("card", run.atoms[at].first, run.atoms[last].last)
            self._card_at = self._tokens[run.atoms[last].last].span.end
            at = last + 1
        if at == 0:
            return [_Part(run, carry, is_last)]
        left = run.atoms[at:]
        return [_Part(Run(left, run.measured), None, is_last, follows=True)] if left else []

    def _take_dated(self, part: "_Part") -> Iterator["_Part"]:
        """What is left of digits in which a date is that a card has, and its code behind it."""
        run = part.run
        atoms = [atom for atom in run.atoms if atom.first not in self._taken]
        if not atoms:
            return
        if len(atoms) < len(run.atoms):
            run = Run(tuple(atoms), run.measured)
            part = _Part(run, None, part.is_last, follows=True)
        if self._is_after_card(run) and not run.measured:
            length = 0
            for place, atom in enumerate(run.atoms[:-1], 1):
                length += len(atom.digits)
                rest = len(run.digits) - length
                if length in (4, 6) and rest in _CODE and "01" <= run.digits[:2] <= "12":
                    self._hide("expiry", run.first, atom.last)
                    yield _Part(Run(run.atoms[place:], False), None, part.is_last, follows=True)
                    return
        yield part

    def _take_other(self, part: "_Part") -> None:
        run, carry = part.run, part.carry
        cue = cues.nearest(self._words, run.first, self._context.cue, self._start(run))
        kind = self._detail(run, cue) or self._named(run, carry, cue, is_last=part.is_last)
        if kind is None and part.follows and not run.measured:
            kind = "card"  # what is read in one go with a card number
        if kind:
            signed = kind == "phone" and run.first > 0 and self._words[run.first - 1] == "plus"
            self._hide(kind, run.first - signed, run.last)
        elif self._growing and (part.is_last or (len(run.digits) >= _GROWING and not run.measured)):
            self._hide("digits", run.first, run.last)
        if part.is_last and not run.measured and self._may_go_on(run, carry, cue, kind):
            self._begin(run.first)

    def _detail(self, run: Run, cue: str | None) -> str | None:
        """The code of a card, or how long it is valid."""
        if "card" not in self._rules.kinds or run.measured:
            return None
        after, count = self._is_after_card(run), len(run.digits)
        if after and cue == "expiry" and _is_date(run):
            return "expiry"
        if cue == "cvc" and count in _CODE:
            return "cvc"
        if not after or cue in ("phone", "other", "email") or run.is_year:
            return None
        if 1 < len(run.atoms) < 4 and _is_date(run):
            return "expiry"
        return "cvc" if count in _CODE else None

    def _named(self, run: Run, carry: Carry | None, cue: str | None, *, is_last: bool) -> str | None:
        kinds, count = self._rules.kinds, len(run.digits)
        if run.measured:
            return None
        if "card" in kinds and cue == "card":
            total = count + (sum(map(len, carry.atoms)) if carry else 0)
            whole = total if carry else count
            if whole >= _HALF or (self._cut and is_last and whole >= _ENOUGH):
                return "card"
        if "card" in kinds and self._cut and is_last and count >= _ENOUGH and is_begun(run.digits):
            return "card"
        if "phone" in kinds and self._is_phone(run, carry, cue):
            return "phone"
        if "digits" in kinds:
            digits = run.digits if carry is None else "".join(carry.atoms) + run.digits
            if len(digits) >= _ENOUGH and not (run.is_year and cue != "cvc" and carry is None):
                return "digits"
        return None

    def _is_phone(self, run: Run, carry: Carry | None, cue: str | None) -> bool:
        digits = ("".join(carry.atoms) if carry else "") + run.digits
        count = len(digits)
        if not 7 <= count <= _LONGEST_PHONE:
            return False
        if is_telephone(self._words[run.first]):
            return True
        plus = self._words[run.first].startswith("+") or (run.first and self._words[run.first - 1] == "plus")
        if plus or cue == "phone":
            return True
        if cue in ("other", "card", "cvc"):
            return False
        if digits.startswith("00"):
            return count >= 10
        if digits.startswith("0"):
            return 9 <= count <= 13
        national = digits[1:] if count == 11 and digits[0] == "1" else digits
        return len(national) == 10 and national[0] >= "2" and national[3] >= "2"

    def _may_go_on(self, run: Run, carry: Carry | None, cue: str | None, kind: str | None) -> bool:
        kinds, own = self._rules.kinds, run.digits
        digits = ("".join(carry.atoms) if carry else "") + own
        if "card" in kinds and len(own) < _CODE[0] and (self._is_after_card(run) or cue == "cvc"):
            return True
        if len(digits) < _FEW and cue is None:
            return False  # "at five": who reads a number slowly is heard from the third digit on
        if "phone" in kinds and len(digits) < _LONGEST_PHONE and (len(digits) < 7 or kind is None or cue is None):
            return True
        if "digits" in kinds and (len(digits) < _ENOUGH or kind is None):
            return True
        if "card" not in kinds or kind == "card":
            return False
        return any(is_begun(part) for part in self._beginnings(run, digits, cue))

    def _beginnings(self, run: Run, digits: str, cue: str | None) -> Iterator[str]:
        yield digits
        if cue == "card" or len(digits) >= SHORTEST - _HALF:
            end = ""
            for atom in reversed(run.atoms[1:]):
                end = atom.digits + end
                if len(end) >= LONGEST:
                    return  # it is all there
                yield end

    def _take_date(self, date: cues.Date) -> None:
        """A month and a year behind a card number, or written with a stroke."""
        start = self._tokens[date.first].span.start
        after = self._card_at is not None and 0 <= start - self._card_at < AFTER_CARD
        cue = cues.nearest(self._words, date.first, self._context.cue, start)
        if after and (cue in ("expiry", "card", "cvc") or not date.named):
            self._hide("expiry", date.first, date.last)


def _is_date(run: Run) -> bool:
    """Whether it can be a month and a year."""
    month, digits = int(run.atoms[0].digits), run.digits
    if len(digits) in (4, 6) and "01" <= digits[:2] <= "12":
        return True
    return len(digits) in (3, 5) and len(run.atoms) > 1 and 1 <= month <= 9
