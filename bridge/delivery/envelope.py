"""The body of a delivery: one envelope with the events of one call, whether one or many.

Pure, and joins JSON that is already written: nothing is parsed again. What goes into an envelope, and when, is
decided in `lane`.
"""

import json
from collections.abc import Iterable, Sequence


def envelope(header: str, bodies: Iterable[str], skipped: Sequence[int] = ()) -> bytes:
    """The body of a POST. `skipped`: the `seq` of events that were given up since the last delivery."""
    gap = f'"skipped":{json.dumps(list(skipped), separators=(",", ":"))},' if skipped else ""
    return f'{{"type":"call.events","call":{header},{gap}"events":[{",".join(bodies)}]}}'.encode()


def batch_id(call_id: str, first: int, last: int) -> str:
    """The webhook-id of a batch: the same range, the same id, for ever."""
    return f"evt_{call_id}_{first}_{last}"


def interim_id(call_id: str, segment_id: str, revision: int) -> str:
    """The webhook-id of an interim; a revision is sent at most once."""
    return f"int_{call_id}_{segment_id}_{revision}"


def start_id(call_id: str, event_id: str) -> str:
    """The webhook-id of a start of speech."""
    return f"int_{call_id}_{event_id}"
