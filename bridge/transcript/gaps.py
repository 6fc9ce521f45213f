"""What of a call has no words, as it stands by now: a backfill mends what an earlier event told as missing.

`call.ended` says what no final covered at that moment, and `audio.gap` what was given up. Kept audio may be transcribed
after both, and `transcription.backfilled` says so. These functions take what the log has and tell how it stands. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.events import AudioGap, TranscriptionBackfilled
from bridge.text import plain

_GIVEN_UP = "not_transcribed"
"""The cause of a gap whose audio may still be kept; all other causes mean that it is lost."""

PAUSED = "paused"
"""The cause of a gap that no one was to hear."""

_REASONS: Mapping[str, str] = {
    "lost": "lost on the way",
    "late": "came too late",
    "not_sent": "was not sent",
    _GIVEN_UP: "could not be transcribed",
    "overflow": "there was no space to keep it",
    "carrier_reconnected": "the carrier connected again",
    "bridge_restarted": "the bridge was restarted",
    PAUSED: "the transcription was paused",
}
"""As the page says them."""


def reason(why: str) -> str:
    """Why audio is missing, in words for people; of a record of another version its own word, with blanks."""
    return _REASONS.get(why) or plain(why.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Completeness:
    """How complete the transcript of a call that has ended is now. All in seconds of the track that lacks more."""

    missing: float
    """Without words, at most."""
    waiting: float
    """The part of `missing` that is still being transcribed from kept audio; 0: nothing more comes by itself."""
    backfilled: float
    """Had no words at the end of the call, and has been transcribed since, at least."""


def completeness(ended: Mapping[str, Any], later: Iterable[Mapping[str, Any]]) -> Completeness:
    """How a call stands whose `call.ended` has these data; `later`: the gaps and backfills that followed it, as events.

    Mappings, not events: records of other versions may hold values that this one does not know.
    """
    at_end = float(ended.get("missing") or 0.0)
    kept: Counter[str] = Counter()
    for stretch in ended.get("uncovered") or ():
        kept[stretch["track"]] += stretch["to"] - stretch["from"]
    waiting = max(kept.values(), default=0.0)
    # Its audio was not kept: no backfill can mend that.
    unkept = max(0.0, at_end - waiting)
    lost: Counter[str] = Counter()
    given_up = False
    for event in sorted(later, key=lambda event: int(event["seq"])):
        data = event["data"]
        if event["type"] == TranscriptionBackfilled.type:
            waiting = float(data["waiting"])
        elif data["why"] == _GIVEN_UP:
            # Said once, and for good: what `bridge backfill` transcribes all the same is not waited for.
            given_up = True
        else:
            # Told before the backfill of its piece, which counts it as done.
            lost[data["track"]] += data["missing"]
    missing = min(at_end, unkept + waiting + max(lost.values(), default=0.0))
    return Completeness(
        missing=round(missing, 3),
        waiting=0.0 if given_up else round(waiting, 3),
        backfilled=round(at_end - missing, 3),
    )


def standing(told: Iterable[AudioGap | TranscriptionBackfilled]) -> list[AudioGap]:
    """The gaps that are left of those that were told; `told`: a call's gaps and backfills in the order of its log."""
    gaps: list[AudioGap] = []
    for data in told:
        match data:
            case AudioGap():
                gaps.append(data)
            case TranscriptionBackfilled():
                gaps = [rest for gap in gaps for rest in _after(gap, data)]
    return gaps


def _after(gap: AudioGap, backfilled: TranscriptionBackfilled) -> Iterator[AudioGap]:
    """What a backfill leaves of a gap told before it."""
    if gap.why != _GIVEN_UP or backfilled.to <= gap.from_ or backfilled.from_ >= gap.to:
        yield gap
        return
    for from_, to in ((gap.from_, backfilled.from_), (backfilled.to, gap.to)):
        if from_ < to:
            yield gap.model_copy(update={"from_": from_, "to": to, "missing": round(to - from_, 3)})
