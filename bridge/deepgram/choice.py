"""Which origin one call's next socket is opened at, and when the call goes back to a better one: a machine; time is
given.

A call asks the origins in their order. Those that fail everyone come last; the one at which this call has just lost a
socket comes after those that it has not tried, and these are tried at once. An origin that will never take the request
(a model it does not have) is not asked again in this call; only when all have said so is that the end of it.
"""

from bridge.deepgram.messages import Blame, Refusal
from bridge.deepgram.origins import Origin, Origins

_OWN_FAULT = 1008
"""The close code for audio that cannot be decoded: it is the call's, and says nothing of the origin."""


class Choice:
    """Of one call. Origins are named by their places in the order of preference, from 0."""

    def __init__(self, origins: Origins, call_id: str) -> None:
        self.place = 0
        """Where the call's socket is, is being opened, or was last."""
        self._origins = origins
        self._call_id = call_id
        self._lost: dict[int, float] = {}  # when this call has last lost a socket there, or was refused
        self._hopeless: set[int] = set()  # will never take the request
        self._better_since: float | None = None

    def __repr__(self) -> str:
        return f"<Choice {self.place} of {self._origins!r} hopeless {sorted(self._hopeless)}>"

    @property
    def origin(self) -> Origin:
        """The one at `place`."""
        return self._origins.all[self.place]

    @property
    def is_hopeless(self) -> bool:
        """No origin will ever take the request."""
        return len(self._hopeless) == len(self._origins)

    @property
    def is_left(self) -> bool:
        """Another origin has not said that it will never take the request, though a person may have to mend it."""
        return any(place != self.place and place not in self._hopeless for place in range(len(self._origins)))

    @property
    def is_elsewhere(self) -> bool:
        """Another origin may take what this one has refused, without anyone's help."""
        return any(
            place != self.place and not self._origins.needs_person(place)
            for place in range(len(self._origins))
            if place not in self._hopeless
        )

    def next(self, now: float) -> Refusal | None:
        """Go to the origin at which the next socket is to be opened. None: open it. Otherwise why no origin may be
        asked now, in the words of the one that would have been."""
        self._better_since = None
        order = self._order(now)
        refusals: list[Refusal] = []
        for place in order:
            refusal = self._origins.ask(place, now)
            if refusal is None:
                self.place = place
                return None
            refusals.append(refusal)
        self.place = order[0]
        return refusals[0]

    def is_fresh(self, now: float) -> bool:
        """There is an origin that can be asked at once: this call has not just failed there."""
        passing = [place for place in self._order(now) if self._origins.passes(place, now)]
        return bool(passing) and not self._just_lost(passing[0], now)

    def refused(
        self, place: int, refusal: Refusal, now: float, *, own_options: bool = False, counts: bool = True
    ) -> None:
        """A handshake, or a request, was refused. `own_options`: as the origins'. `counts`: it tells of the origin, not
        of this call alone."""
        self._lost[place] = now
        if counts:
            self._origins.refused(place, refusal, now, own_options=own_options)
        if refusal.blame is Blame.REQUEST and not own_options:
            self._hopeless.add(place)

    def ask_again(self) -> None:
        """The next socket is opened at the same origin: it was refused over what is not asked for any more."""
        self._lost.pop(self.place, None)

    def lost(self, now: float, code: int | None = None, *, deaf: bool = False) -> None:
        """An open socket was lost, with this close code. `deaf`: as the origins'."""
        self._lost[self.place] = now
        if code != _OWN_FAULT:
            self._origins.dropped(self.place, self._call_id, now, deaf=deaf)

    def better(self, now: float, *, quiet: bool) -> int | None:
        """Where to go back to now; None: stay. `quiet`: it would be a good moment; without one it is waited for, but
        not for ever."""
        place = next((place for place in range(self.place) if self._is_better(place, now)), None)
        if place is None:
            self._better_since = None
            return None
        if self._better_since is None:
            self._better_since = now
        if not quiet and now - self._better_since < self._origins.policy.patience:
            return None
        return place if self._origins.may_return(now) else None

    def returned(self, place: int) -> None:
        """The call's socket is there now."""
        self.place = place
        self._better_since = None
        self._origins.returns[self.origin.name] += 1

    def _is_better(self, place: int, now: float) -> bool:
        return place not in self._hopeless and self._origins.is_well(place) and not self._just_lost(place, now)

    def _just_lost(self, place: int, now: float) -> bool:
        lost = self._lost.get(place)
        return lost is not None and now - lost < self._origins.policy.rest

    def _order(self, now: float) -> list[int]:
        """All that may take the request, or all there are, where none will."""
        places = [place for place in range(len(self._origins)) if place not in self._hopeless]

        def rank(place: int) -> tuple[bool, bool, float, int]:
            just_lost = self._just_lost(place, now)
            return self._origins.is_aside(place), just_lost, self._lost[place] if just_lost else 0.0, place

        return sorted(places or range(len(self._origins)), key=rank)
