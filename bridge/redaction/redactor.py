"""Takes out of a call's results what is not to be read, before anything else sees them: a machine without a clock.

A final that is told cannot be taken back. So one that ends in digits, or in half an address, that may be the beginning
of more is held until its speaker has gone on, or has said nothing for a while; whatever comes of that channel
meanwhile waits behind it. Until then its audio is not covered as far as others know (`held_from`), so that a process
that dies loses nothing. Interims are not held: what grows at their end is hidden, whatever it may become.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from bridge.audio import CHANNELS, SAMPLE_RATE
from bridge.recognition import EagerEnd, Hit, Recognized, Redaction, Result, TurnEnd
from bridge.redaction.cues import Cue, last_cue
from bridge.redaction.finding import APART, Carry, Context, Found, find
from bridge.redaction.numbers import only_fillers
from bridge.redaction.rules import KINDS, NUMBERS, Rules
from bridge.redaction.tokens import Hidden, Token, marked, token_of_text, tokens, without
from bridge.spans import Span
from bridge.writing import joined

PATIENCE = 5.0
"""Seconds without a word of theirs after which a speaker is taken to have said all of a number."""

LONGEST = 30.0
"""Seconds for which anything is held, at most."""

_PAUSE = 10 * SAMPLE_RATE  # samples between two finals

_MOST = 64  # messages of a channel that are held

_ANYWHERE = 1 << 62  # a position: whatever is heard first goes on with it


Past = tuple[int, str, Span]
"""What was taken out before, by others: on which channel, what, and where."""


@dataclass(slots=True, eq=False)
class _Channel:
    """What one speaker has said."""

    index: int
    held: list[Result | TurnEnd] = field(default_factory=list)
    since: float = 0.0
    """When the first of these came."""
    heard: float = 0.0
    """When words came last."""
    interim: Result | None = None
    """The newest one after the last final."""
    carry: Carry | None = None

    @property
    def finals(self) -> list[Result]:
        return [each for each in self.held if isinstance(each, Result)]


class Redactor:
    """Of one call. Every method that can need the time takes `now`, seconds on any steady clock."""

    def __init__(
        self, rules: Rules, language: str | None = None, past: Iterable[Past] = (), *, within: bool = False
    ) -> None:
        """`language`: what was asked for, where results name none. `past`: what was taken out of this call already.

        `within`: what was said right before is not known, as after a crash: a number may have been begun there, so that
        digits with which a speaker goes on are taken out.
        """
        self.rules = rules
        self._language = language
        self._past = list(past)
        kind = next((kind for kind in KINDS if kind in rules.kinds & NUMBERS), None)
        begun = Carry((), kind, _ANYWHERE) if within and kind else None
        self._channels = [_Channel(index, carry=begun) for index in range(CHANNELS)]
        self._cue: Cue | None = None
        self._card_at: int | None = None  # where the last card number ended, of either speaker

    def __repr__(self) -> str:
        return f"<Redactor {','.join(self.rules.names)} held {[len(channel.held) for channel in self._channels]}>"

    @property
    def held_from(self) -> int | None:
        """Where in the call the first final begins that is held; None: none is."""
        return min((final.span.start for channel in self._channels for final in channel.finals), default=None)

    def receive(self, message: Recognized, now: float) -> list[Recognized]:
        """What may be told of it now, in order, with what was held before it."""
        if not self.rules:
            return [message]
        channel = self._channels[message.channel]
        match message:
            case Result(is_final=True):
                return self._receive_final(channel, message, now)
            case Result():
                return self._receive_interim(channel, message, now)
            case TurnEnd() if channel.held:
                channel.held.append(message)
                return []
            case EagerEnd():
                return [replace(message, text=self._veiled_at(channel, message.text, message.at))]
            case _:
                return [message]

    def get_timer(self) -> float | None:
        """When to call `handle_timer`; None: not at all."""
        return min((self._due(channel) for channel in self._channels if channel.held), default=None)

    def handle_timer(self, now: float) -> list[Recognized]:
        """What is held no longer by `now`."""
        due = [channel for channel in self._channels if channel.held and self._due(channel) <= now]
        return [message for channel in due for message in self._let_go_and_show(channel)]

    def finish(self, *, cut: bool = False) -> list[Recognized]:
        """Nothing more comes here: all that is held. `cut`: the call goes on elsewhere, so a number may, too."""
        return [message for channel in self._channels for message in self._let_go_and_show(channel, cut=cut)]

    def veiled(self, text: str, *, growing: bool = True) -> str:
        """A text by itself, without what is not to be read; `growing`: or may become part of it."""
        if not self.rules or not text:
            return text
        found = token_of_text(text)
        hidden = find(found, self.rules, Context(self._languages(())), growing=growing).hidden
        return _written(found, hidden) if hidden else text

    def _veiled_at(self, channel: _Channel, text: str, at: int) -> str:
        """A text that a speaker has said about there: what was said before tells what its digits are."""
        found = [token._replace(span=Span(at, at)) for token in token_of_text(text)]
        hidden = find(found, self.rules, self._context(channel, found), growing=True).hidden
        return _written(found, hidden) if hidden else text

    # Finals.

    def _receive_final(self, channel: _Channel, final: Result, now: float) -> list[Recognized]:
        told: list[Recognized] = []
        if channel.finals and final.text and final.span.start - channel.finals[-1].span.end > _PAUSE:
            told = self._let_go(channel)  # as the time would have it, where what is heard is not live
        if not channel.held:
            if not final.text:
                return [self._without_asides(final)]
            channel.since = now
        if final.text:
            channel.heard = now
        channel.interim = None
        channel.held.append(final)
        return [*told, *self._settle(channel)]

    def _settle(self, channel: _Channel) -> list[Recognized]:
        """What of the held can be told now."""
        words, places = _tokens(channel.held)
        found = find(words, self.rules, self._context(channel, words))
        if found.begun is None or len(channel.held) >= _MOST:
            return self._tell(channel, words, places, found, len(channel.held))
        first = places[found.begun]
        for hidden in reversed(found.hidden):  # what reaches into what is held is held, whole
            if places[hidden.last] >= first:
                first = min(first, places[hidden.first])
        told = self._tell(channel, words, places, found, first)
        return [*told, *self._shown(channel, None)]

    def _let_go_and_show(self, channel: _Channel, *, cut: bool = False) -> list[Recognized]:
        told = self._let_go(channel, cut=cut)
        # It was seen as one with what was held, and is to be seen by itself.
        return [*told, *self._shown(channel, channel.interim)] if told else []

    def _let_go(self, channel: _Channel, *, cut: bool = False) -> list[Recognized]:
        if not channel.held:
            return []
        words, places = _tokens(channel.held)
        found = find(words, self.rules, self._context(channel, words), cut=cut)
        return self._tell(channel, words, places, found, len(channel.held))

    def _tell(
        self, channel: _Channel, words: list[Token], places: list[int], found: Found, count: int
    ) -> list[Recognized]:
        """The first so many of what is held."""
        told: list[Recognized] = []
        for place, each in enumerate(channel.held[:count]):
            if isinstance(each, TurnEnd):
                told.append(each)
                continue
            at = [number for number, of in enumerate(places) if of == place]
            hidden = _within(found.hidden, at)
            own = [words[number] for number in at]
            whole = without(each, own, hidden) if hidden else each
            told.append(self._without_asides(whole))
            self._cue = last_cue(own, self._cue)
        self._remember(channel, words, places, found, count)
        del channel.held[:count]
        return told

    def _remember(self, channel: _Channel, words: list[Token], places: list[int], found: Found, count: int) -> None:
        """What was told, for what comes."""
        last = sum(place < count for place in places)
        for hidden in found.hidden:
            if hidden.kind == "card" and hidden.last < last:
                self._card_at = words[hidden.last].span.end
        if count < len(channel.held) or not words:
            return
        tail = found.tail
        if tail is None:
            channel.carry = channel.carry if only_fillers([word.bare for word in words]) else None
            return
        kind = next((each.kind for each in found.hidden if each.first <= tail.last <= each.last), None)
        before = channel.carry.atoms if channel.carry and found.whole and kind is None else ()
        atoms = (*before, *(atom.digits for atom in tail.atoms))
        known = kind is None or kind in NUMBERS
        channel.carry = Carry(atoms, kind, words[tail.last].span.end) if known and not tail.measured else None

    # Interims.

    def _receive_interim(self, channel: _Channel, interim: Result, now: float) -> list[Recognized]:
        if not interim.text:
            return [] if channel.held else [interim]
        if channel.interim is None or interim.text != channel.interim.text:
            channel.heard = now
        channel.interim = interim
        return self._shown(channel, interim)

    def _shown(self, channel: _Channel, interim: Result | None) -> list[Recognized]:
        """What is seen of a channel: what is held, and what goes on behind it."""
        parts = [each for each in (*channel.finals, *([interim] if interim else ())) if each.text]
        if not parts:
            return []
        shown = parts[-1]
        if len(parts) > 1:
            span = Span(parts[0].span.start, max(part.span.end for part in parts))
            heard = tuple(word for part in parts for word in part.words)
            text = joined(part.text for part in parts)
            shown = replace(shown, span=span, words=heard, text=text, entities=())
        words = tokens(shown)
        context = self._context(channel, words, shown.languages)
        hidden = find(words, self.rules, context, growing=True).hidden
        whole = without(shown, words, hidden) if hidden else shown
        return [replace(self._without_asides(whole), is_final=False, ends_turn=False, from_finalize=False)]

    # Both.

    def _due(self, channel: _Channel) -> float:
        return min(channel.heard + PATIENCE, channel.since + LONGEST)

    def _context(self, channel: _Channel, words: list[Token], languages: Iterable[str] = ()) -> Context:
        named = {each for final in channel.finals for each in final.languages}.union(languages)
        near: tuple[tuple[str, Span], ...] = ()
        if self._past and words:
            begin, end = words[0].span.start - APART, words[-1].span.end + APART
            near = tuple(
                (kind, at) for place, kind, at in self._past if place == channel.index and begin < at.end < end
            )
        return Context(self._languages(named), channel.carry, self._card_at, self._cue, near)

    def _languages(self, heard: Iterable[str]) -> frozenset[str]:
        named = [*heard] or ([self._language] if self._language else [])
        return frozenset(each.partition("-")[0].lower() for each in named)

    def _without_asides(self, result: Result) -> Result:
        """What a result says beside its text says no more than that."""
        if not (result.alternatives or result.hits or result.entities):
            return result
        channel = self._channels[result.channel]

        def veiled(text: str) -> str:
            return self._veiled_at(channel, text, result.span.start)

        alternatives = () if result.redacted else result.alternatives
        return replace(
            result,
            alternatives=tuple(replace(each, text=veiled(each.text)) for each in alternatives),
            hits=tuple(replace(hit, snippet=_snippet(hit, result.redacted, veiled)) for hit in result.hits),
            entities=tuple(
                replace(each, value=veiled(each.value), raw_value=veiled(each.raw_value)) for each in result.entities
            ),
        )


def _snippet(hit: Hit, redacted: Iterable[Redaction], veiled: Callable[[str], str]) -> str:
    over = next((each for each in redacted if each.span.start < hit.span.end and hit.span.start < each.span.end), None)
    return f"[{over.kind}]" if over else veiled(hit.snippet)


def _tokens(held: Iterable[Result | TurnEnd]) -> tuple[list[Token], list[int]]:
    """The words of all that is held, and for each of them in which message it is."""
    words: list[Token] = []
    places: list[int] = []
    for place, each in enumerate(held):
        if isinstance(each, Result):
            own = tokens(each)
            words += own
            places += [place] * len(own)
    return words, places


def _within(hidden: Iterable[Hidden], own: list[int]) -> list[Hidden]:
    """What is hidden among one message's words, counted from its first."""
    if not own:
        return []
    start, end = own[0], own[-1]
    return [
        Hidden(each.kind, max(each.first, start) - start, min(each.last, end) - start)
        for each in hidden
        if each.first <= end and each.last >= start
    ]


def _written(found: list[Token], hidden: Iterable[Hidden]) -> str:
    text, at = "", 0
    for each in [*hidden, Hidden("", len(found), len(found) - 1)]:
        text += "".join(token.text + token.blank for token in found[at : each.first])
        if each.kind:
            took = found[each.first : each.last + 1]
            text += marked(each.kind, took) + took[-1].blank
        at = each.last + 1
    return text.strip()
