"""A `call.ended` with the whole transcript, for endpoints that ask for it: the turns, as the JSON export has them.

Made when it is posted, of the finals that came before it; the record keeps the event without it. What would be larger
than an envelope may be is left out as a whole, and its size is told: half a transcript would be taken for all of it.
"""

import json
from collections.abc import Sequence

from bridge.events import TranscriptFinal
from bridge.outbox import Batching
from bridge.store.base import StoredEvent
from bridge.transcript.render import turn_document
from bridge.transcript.speech import said
from bridge.transcript.turns import turns

MOST = Batching().max_octets
"""Octets of an event with its transcript."""


def with_transcript(ended: str, finals: Sequence[StoredEvent], most: int = MOST) -> str:
    """The JSON of a `call.ended`, with `transcript`: `turns` and `octets`. Without `turns`, which are null then, if the
    event were longer than `most` octets, or a final cannot be understood: that must not hold up the end of the call."""
    event = json.loads(ended)
    try:
        spoken = said(TranscriptFinal.model_validate(json.loads(final.body)["data"]) for final in finals)
    except ValueError:  # what another version wrote, or a repair has left
        event["data"]["transcript"] = {"turns": None, "octets": 0}
        return _written(event)
    told = [turn_document(turn) for turn in turns(spoken)]
    octets = len(_written(told).encode())
    event["data"]["transcript"] = {"turns": told, "octets": octets}
    body = _written(event)
    if len(body.encode()) > most:
        event["data"]["transcript"] = {"turns": None, "octets": octets}
        body = _written(event)
    return body


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
