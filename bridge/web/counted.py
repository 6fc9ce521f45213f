"""What each counter counts, in words: `/metrics` has them, and the page on operations.

What stands here is told before it has happened: without a first 0 Prometheus would miss the first time. Of calls that
are over more is counted than stands here, by the names that `call.ended` has in its `counts`.
"""

from collections import Counter
from collections.abc import Mapping

_DELIVERY = {
    "posts": "POSTs of durable events",
    "delivered": "Batches of events that were accepted",
    "retry": "Batches that failed and are tried again",
    "split": "Batches that were rejected and are tried in halves",
    "skip": "Events that were rejected for good; the delivery goes on without them",
    "park": "Calls whose delivery was given up",
    "disable": "Times the endpoint said that it is gone (410)",
    "events": "Events that were accepted",
    "interims": "POSTs of events without a `seq`",
    "interims_dropped": "Events without a `seq` that a newer one has replaced, or that there was no room for",
    "interims_failed": "Those of these POSTs that were not accepted",
    "lost_leases": "Batches whose outcome came too late to be written down; they are tried again",
    "claimed_in_flight": "Batches that came up again while they were on their way; they are left to that",
}

COUNTED: Mapping[str, Mapping[str, str]] = {
    "calls": {
        "opened": "Calls that have begun here",
        "adopted": "Calls that another process has left and this one went on with",
        "stream_errors": "Errors of streams that carriers have told",
        "relayed": "Streams that were relayed to the process that has their call",
        "relays_broken": "Times such a stream was not taken there, or came back",
        "streams_slowed": "Streams that sent more than a call has, and were read more slowly",
    },
    "ended_calls": {
        "streams": "Streams of calls that are over",
        "streams_lost": "Those of them that were lost, not stopped",
        "bad_messages": "Messages of carriers that could not be read",
        "deepgram_sockets": "Sockets to Deepgram of calls that are over",
        "interruptions": "Interruptions of the transcription",
        "finals": "Final transcripts",
        "words": "Words in them",
        "utterances": "Turns of speakers",
        "gaps": "Stretches of audio that were told to be missing",
        "events_dropped": "Events that there was no room for while the store could not keep them",
        "events_not_kept": "Events that the store has refused for good",
    },
    "store": {
        "appends": "Times events were handed to the store",
        "events": "Durable events that were kept",
        "duplicates": "Events that were there already",
        "failed_commits": "Commits that failed; they are tried again",
        "reads": "Reads of a call's events",
        "reads_from_memory": "Those of them that needed no disk",
        "stale_interims": "Interims whose final was there already",
        "lost_leases": "Outcomes of deliveries that came too late to be written down",
        "lost_calls": "Calls that another process has taken over while this one went on with them",
        "untold_interims": "Interims that were too long to be told to another process",
        "passed_on": "Requests for calls of other processes that these have answered",
        "not_passed_on": "Requests for calls of other processes that none has answered, or could be asked for",
        "carried_out": "Requests of other processes for calls of this one that were carried out",
    },
    "audio": {
        "written_samples": "Samples of kept audio that were written",
        "lost_samples": "Samples that could not be kept",
        "unreadable_samples": "Samples that were kept and cannot be read",
        "dropped_segments": "Files of audio that were transcribed and deleted",
        "disk_errors": "Jobs that the disk has failed",
        "over_limit": "Jobs that found no room within BRIDGE_AUDIO_LIMIT",
        "too_slow": "Jobs that were given up because too many waited for the disk",
        "not_moved": "Recordings that could not be moved to their place",
        "jobs": "Jobs of the thread that writes audio",
    },
    "archive": {
        "objects": "Files of audio that were written to the object store",
        "octets": "Octets of them",
        "removed": "Objects that were deleted there",
        "restored": "Calls whose kept audio was brought here from there",
        "failures": "Times that audio could not be brought there, or away; it is tried again",
    },
    "backfill": {
        "done": "Calls whose kept audio was transcribed after the end",
        "given_up": "Calls whose kept audio was not transcribed in time",
        "refused": "Requests for that which Deepgram has not answered with words",
    },
    "connections": {
        "gave_way": "Connections that were closed because too many waited",
        "timed_out": "Connections whose peers did not send in time what they owed",
    },
    "requests": {"refused": "Requests that were answered with 4xx or 5xx"},
    "readers": {"failed_logins": "Logins that failed"},
    "audit": {"not_written": "Deeds of readers that could not be written to the audit log"},
    "expiry": {
        "records_deleted": "Records that were deleted because they were too old",
        "failures": "Times that what was too old could not be deleted",
    },
    "delivery": _DELIVERY,
    "twilio_delivery": _DELIVERY,
}
"""By part, and what it counts."""


def count_from_zero(counters: Mapping[str, Counter[str]]) -> None:
    """Have every counter begin where it begins. `counters`: of each part."""
    for part, counted in counters.items():
        for what in COUNTED.get(part, ()):
            counted.setdefault(what, 0)


def described(part: str, what: str) -> str:
    """In words, for any counter."""
    said = COUNTED.get(part, {}).get(what)
    return said or f"{part}, since the start: {what}".replace("_", " ")
