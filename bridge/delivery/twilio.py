"""Twilio's own format: what its Real-Time Transcription posts to a `statusCallbackUrl`, made of our events.

    call.started                                       transcription-started
    transcript.final, unless its text is empty         transcription-content, Final=true
    transcript.interim, where they are wanted          transcription-content, Final=false
    transcription.interrupted that cannot heal itself  transcription-error, with Deepgram's status and words
    call.ended                                         transcription-stopped; if kept audio is still to be transcribed,
                                                       once it is, or is given up

One form a POST, signed as Twilio signs; what else happens in a call, Twilio has no word for, and it is passed over.
Twilio documents neither order nor retries. Here they come one after the other, and again until they are accepted.

A `SequenceId` is the message's number in the record, so that retries and restarts do not change it: 1, 2, 3 …. With
interims, which are no part of the record, it is a thousand times that, and an interim counts on from the message before
it: the order is right all the same, and no number is given twice to different messages but for interims of one call
before and after a restart.

Fields: https://www.twilio.com/docs/voice/twiml/transcription and programs that take its posts. Beyond what is in every
message, those of `transcription-started` have the names of Twilio's REST API: no program was found that shows them.
`Stability` of interims is 0.0, as Google says it where it knows none: Deepgram tells none.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from bridge.delivery.format import REMEMBERED, Part, Request
from bridge.events import (
    TRACKS,
    AudioGap,
    CallEnded,
    CallStarted,
    Event,
    TranscriptFinal,
    TranscriptInterim,
    TranscriptionBackfilled,
    TranscriptionInterrupted,
)
from bridge.outbox import Lane
from bridge.store.base import StoredEvent

SIGNATURE_HEADER = "X-Twilio-Signature"

_SPREAD = 1000
"""How far apart the numbers of messages are where interims go between them."""

_GIVEN_UP = "not_transcribed"
"""The cause of a gap after the end of a call that says: nothing more is transcribed by itself."""

_TOLD = frozenset(
    data.type
    for data in (CallStarted, TranscriptFinal, TranscriptionInterrupted, CallEnded, TranscriptionBackfilled, AudioGap)
)
"""The types of events that may have a message; others are not parsed."""

Form = dict[str, str]

Sign = Callable[[Mapping[str, str]], str]
"""The signature of a form, over it and the endpoint's URL."""


class Stage(Enum):
    """How far the transcription of a call has come, as Twilio tells it."""

    RUNNING = auto()
    LACKING = auto()
    """The call is over, and audio is still to be transcribed."""
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Progress:
    """What is told of a call by the events up to `cursor`."""

    cursor: int = 0
    told: int = 0
    """Messages."""
    stage: Stage = Stage.RUNNING

    def after(self, event: StoredEvent) -> "tuple[Progress, Form | None]":
        """The progress after the next event; and what Twilio says of it, without what it says in every message."""
        moved = replace(self, cursor=event.seq)
        if event.type not in _TOLD:
            return moved, None
        said = json.loads(event.body)
        moved, form = moved._taking(event.type, said["data"])
        return moved, form and {**form, "Timestamp": said["time"]}

    def _taking(self, type_: str, data: Mapping[str, Any]) -> "tuple[Progress, Form | None]":
        match type_:
            case CallStarted.type:
                return self._telling(_started(data))
            case TranscriptFinal.type if data["text"]:
                return self._telling(_content(data, final=True))
            case TranscriptionInterrupted.type if not data["retry"]:
                return self._telling(_error(data))
            case CallEnded.type if data.get("uncovered"):
                return replace(self, stage=Stage.LACKING), None
            case CallEnded.type:
                return self._stopping()
            case TranscriptionBackfilled.type if self.stage is Stage.LACKING and not data["waiting"]:
                return self._stopping()
            case AudioGap.type if self.stage is Stage.LACKING and data["why"] == _GIVEN_UP:
                return self._stopping()
            case _:
                return self, None

    def _telling(self, form: Form) -> "tuple[Progress, Form]":
        return replace(self, told=self.told + 1), form

    def _stopping(self) -> "tuple[Progress, Form]":
        return replace(self, stage=Stage.STOPPED)._telling({"TranscriptionEvent": "transcription-stopped"})


@dataclass(slots=True)
class _Telling:
    """A call that is told of."""

    progress: Progress = field(default_factory=Progress)
    """By what is settled."""
    ahead: list[Progress] = field(default_factory=list)
    """After each event of the batch that is on its way."""
    interims: int = 0
    """Sent since the last message."""

    def moved_from(self, told: int) -> None:
        """So many messages were told before: interims count on from the newest."""
        if self.progress.told != told:
            self.interims = 0


class TwilioForms:
    """The format. It remembers of each call how far it has come; what it does not know it is told again."""

    content_type = "application/x-www-form-urlencoded"
    types: frozenset[str] | None = None

    def __init__(self, account_sid: str, sign: Sign, *, interims: bool = False, remembered: int = REMEMBERED) -> None:
        """`remembered`: calls, more than go on and are delivered at a time."""
        self._account_sid = account_sid
        self._sign = sign
        self._interims = interims
        self._remembered = remembered
        self._calls: dict[str, _Telling] = {}

    def __repr__(self) -> str:
        return f"<TwilioForms {len(self._calls)} calls>"

    def known(self, lane: Lane) -> int:
        call = self._calls.pop(lane.call_id, None)
        if call is None or call.progress.cursor > lane.cursor:  # it is to be told once more
            call = _Telling()
        self._calls[lane.call_id] = call  # as the newest
        if len(self._calls) > self._remembered:
            del self._calls[next(iter(self._calls))]
        return call.progress.cursor

    def recall(self, lane: Lane, events: Sequence[StoredEvent]) -> None:
        call = self._calls[lane.call_id]
        told = call.progress.told
        for event in events:
            call.progress, _ = call.progress.after(event)
        call.moved_from(told)

    def needs(self, events: Sequence[StoredEvent]) -> tuple[str, ...]:
        return ()

    def parts(self, lane: Lane, events: Sequence[StoredEvent], said: Sequence[StoredEvent] = ()) -> list[Part]:
        call = self._calls[lane.call_id]
        progress, call.ahead, parts = call.progress, [], []
        for event in events:
            progress, form = progress.after(event)
            call.ahead.append(progress)
            if form is not None:
                # What comes before it in the batch needs no telling, so a retry is of this event alone.
                part = replace(lane, cursor=event.seq - 1, batch_to=event.seq)
                parts.append(Part(part, self._request(lane.call_id, lane.header, self._number(progress.told), form)))
        return parts

    def settled(self, lane: Lane, cursor: int) -> None:
        call = self._calls[lane.call_id]
        told = call.progress.told
        for progress in call.ahead:
            if progress.cursor <= cursor:
                call.progress = progress
        call.ahead = []
        call.moved_from(told)

    def interim(self, call_id: str, header: str, event: Event) -> Request | None:
        call = self._calls.get(call_id)
        if call is None or not isinstance(event.data, TranscriptInterim):
            return None
        call.interims = min(call.interims + 1, _SPREAD - 1)
        said = {**_content(event.data.model_dump(), final=False), "Timestamp": event.time}
        return self._request(call_id, header, self._number(call.progress.told) + call.interims, said)

    def apart(self) -> "TwilioForms":
        return TwilioForms(self._account_sid, self._sign, interims=self._interims)

    def _number(self, told: int) -> int:
        return told * _SPREAD if self._interims else told

    def _request(self, call_id: str, header: str, number: int, said: Form) -> Request:
        form = {
            "AccountSid": self._account_sid,
            "CallSid": json.loads(header).get("carrier_call_id") or call_id,
            "TranscriptionSid": transcription_sid(call_id),
            "SequenceId": str(number),
            **said,
        }
        body, signature = urlencode(form).encode(), self._sign(form)
        return Request(body, lambda now: {SIGNATURE_HEADER: signature})


def transcription_sid(call_id: str) -> str:
    """The id of a record's transcription, always the same: `GT` and 32 hexadecimal digits, as Twilio's are."""
    return "GT" + hashlib.sha256(f"transcription of {call_id}".encode()).hexdigest()[:32]


def _started(data: Mapping[str, Any]) -> Form:
    tracks = [track for track in TRACKS if track in data["tracks"]] or TRACKS
    speakers = data["speakers"]
    return {
        "TranscriptionEvent": "transcription-started",
        "Track": "both_tracks" if len(tracks) > 1 else f"{tracks[0]}_track",
        "TranscriptionEngine": "deepgram",
        **{f"{track.capitalize()}TrackLabel": speakers[track] for track in tracks if track in speakers},
    }


def _content(data: Mapping[str, Any], *, final: bool) -> Form:
    said = {"transcript": data["text"], "confidence": data["confidence"]}
    return {
        "TranscriptionEvent": "transcription-content",
        **({"LanguageCode": data["language"]} if data.get("language") else {}),
        "Track": f"{data['track']}_track",
        "TranscriptionData": json.dumps(said, ensure_ascii=False),
        "Final": _flag(final),
        **({} if final else {"Stability": "0.0"}),
    }


def _error(data: Mapping[str, Any]) -> Form:
    status = data.get("status")
    return {
        "TranscriptionEvent": "transcription-error",
        **({} if status is None else {"TranscriptionErrorCode": str(status)}),
        "TranscriptionError": data["reason"],
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"
