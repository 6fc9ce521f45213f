"""Calls to look at: the sample call, word for word, and one of three hours."""

import json
from itertools import pairwise
from random import Random

from bridge import events
from bridge.events import TRACKS, timestamp
from bridge.local.sample import SCRIPT
from bridge.transcript.figures import figures
from tests.browser.server import Call

DURATION = 51.76
"""Seconds of the sample call."""
PAUSE = 0.7  # seconds of silence that end a segment


def started(call):
    return events.CallStarted(
        carrier="twilio",
        carrier_call_id=call.id,
        stream_id=f"MZ{call.id}",
        **call.head,
        speakers=call.speakers,
        tracks=list(TRACKS),
        media_format={"encoding": "audio/x-mulaw", "sample_rate": 8000, "channels": 1},
        parameters=call.parameters,
        started_at=timestamp(call.started),
    )


def segment(call, number, track, words, *, final=True, revision=1, overlaps=()):
    """What `words`, dicts as in a script, are as a final or an interim."""
    kind = events.TranscriptFinal if final else events.TranscriptInterim
    start, end = words[0]["start"], words[-1]["end"]
    return kind(
        segment_id=f"{call.id}-{track}-{number}",
        revision=revision,
        final=final,
        track=track,
        channel=TRACKS.index(track),
        speaker=call.speakers[track],
        start=start,
        end=end,
        start_time=timestamp(call.started + start),
        end_time=timestamp(call.started + end),
        text=" ".join(word["text"] for word in words),
        confidence=0.97,
        words=[{"confidence": 0.97, **word} for word in words],
        language="en",
        speech_final=final,
        overlaps=list(overlaps),
    )


def spoken(text, start, pace=0.3):
    """Words of a sentence, one after the other."""
    return [
        {"word": word.strip(".,?!").lower(), "text": word, "start": round(start + place * pace, 3),
         "end": round(start + (place + 0.9) * pace, 3)}
        for place, word in enumerate(text.split())
    ]  # fmt: skip


LATENCY = events.Latency(p50=0.31, p99=0.725, max=0.9, measured=120)


def ended(call, duration, reason="stopped", **more):
    finals = [event.data for event in call.events if event.type == "transcript.final"]
    told = figures(finals, duration, call.speakers)
    given = {"flush": "complete", "missing": 0.0, "counts": {}, "figures": told, "latency": LATENCY, **more}
    return events.CallEnded(reason=reason, duration=duration, ended_at=timestamp(call.started + duration), **given)


def script_segments():
    """The sample call's segments `(track, words)`, in the order in which they end."""
    channels = json.loads(SCRIPT.read_text())["channels"]
    found = []
    for track, words in zip(TRACKS, channels, strict=True):
        part = [words[0]]
        for before, word in pairwise(words):
            if word["start"] - before["end"] > PAUSE:
                found.append((track, part))
                part = []
            part.append(word)
        found.append((track, part))
    return sorted(found, key=lambda one: one[1][-1]["end"])


def sample_call(call_id, started_at, *, until=1e9, **more):
    """The sample call up to a second of it; ended where that is all of it."""
    call = Call(call_id, started_at, **{"audio": True, **more})
    call.append(started(call), 0.0)
    for number, (track, words) in enumerate(script_segments()):
        if words[-1]["end"] <= until:
            call.append(segment(call, number, track, words))
    if until >= 1e9:
        call.append(ended(call, DURATION), DURATION)
    return call


SENTENCES = [
    "Where is my order?",
    "Let me look that up for you, one moment please.",
    "It was supposed to arrive on Monday, and nobody told me that it would be late.",
    "I can see that the parcel left our warehouse on Friday evening.",
    "Right.",
    "Could you give me the number on the invoice? It begins with two letters.",
    "Yes, sure, it is A B four seven one one.",
    "Thank you. I have sent you a message with the new date, and I am sorry about the trouble.",
    "That is fine, thanks for your help.",
]


def long_call(call_id, started_at, segments=5000, hours=3.0):
    """So many segments in so many hours, both speakers, with a gap here and there."""
    random = Random(7)
    call = Call(call_id, started_at, audio=False)
    call.append(started(call), 0.0)
    step = hours * 3600 / segments
    for number in range(segments):
        track = TRACKS[number // random.choice((1, 2)) % 2]
        words = spoken(SENTENCES[random.randrange(len(SENTENCES))], number * step, 0.2)
        call.append(segment(call, number, track, words))
        if number % 400 == 399:
            gap = {"from": number * step, "to": number * step + 0.5, "missing": 0.4, "why": "lost"}
            call.append(events.AudioGap(track=track, **gap), number * step)
    call.append(ended(call, hours * 3600), hours * 3600)
    return call
