"""What the events of a made-up call say, one of each type: the examples of the reference. `docs` adds what fields have
where nothing is said of them.
"""

from collections.abc import Mapping
from typing import Any

_INBOUND = {"track": "inbound", "channel": 0, "speaker": "caller"}

_SEGMENT = {
    **_INBOUND,
    "segment_id": "CA1-inbound-3",
    "start": 10.18,
    "end": 11.94,
    "start_time": "2026-11-20T10:00:10.180Z",
    "end_time": "2026-11-20T10:00:11.940Z",
    "text": "Where is my order?",
    "confidence": 0.98,
    "words": [
        {"word": "where", "text": "Where", "start": 10.18, "end": 10.4, "confidence": 0.99},
        {"word": "is", "text": "is", "start": 10.4, "end": 10.62, "confidence": 0.98},
        {"word": "my", "text": "my", "start": 10.66, "end": 10.9, "confidence": 0.97},
        {"word": "order", "text": "order?", "start": 11.2, "end": 11.94, "confidence": 0.98},
    ],
    "language": "en",
}

_REQUEST = "3f6c1f0a-5d0a-4bb4-a7c5-0d8c7a0d1f11"

SAID: Mapping[str, tuple[int, float, Mapping[str, Any]]] = {
    "call.started": (
        1,
        0.12,
        {
            "carrier": "twilio",
            "carrier_call_id": "CA1",
            "stream_id": "MZ1",
            "from": "+15550101",
            "to": "+15550123",
            "direction": "inbound",
            "speakers": {"inbound": "caller", "outbound": "callee"},
            "tracks": ["inbound", "outbound"],
            "media_format": {"encoding": "audio/x-mulaw", "sample_rate": 8000, "channels": 1},
            "parameters": {"order": "1234"},
            "started_at": "2026-11-20T10:00:00.000Z",
        },
    ),
    "transcript.interim": (
        0,
        11.3,
        {
            **_SEGMENT,
            "revision": 3,
            "final": False,
            "end": 10.9,
            "end_time": "2026-11-20T10:00:10.900Z",
            "text": "Where is my",
            "words": _SEGMENT["words"][:3],  # type: ignore[index]
        },
    ),
    "transcript.final": (12, 12.345, {**_SEGMENT, "revision": 4, "final": True, "speech_final": True}),
    "utterance.completed": (
        13,
        12.346,
        {
            **{name: value for name, value in _SEGMENT.items() if name not in ("words", "confidence", "language")},
            "utterance_id": "CA1-inbound-u2",
            "segment_ids": ["CA1-inbound-2", "CA1-inbound-3"],
            "start": 8.02,
            "start_time": "2026-11-20T10:00:08.020Z",
            "text": "I have a question. Where is my order?",
            "ended_by": "pause",
        },
    ),
    "speech.started": (0, 10.4, {**_INBOUND, "at": 10.1, "at_time": "2026-11-20T10:00:10.100Z"}),
    "turn.eager_end": (
        0,
        12.1,
        {
            **_INBOUND,
            "segment_id": "CA1-inbound-3",
            "at": 12.0,
            "at_time": "2026-11-20T10:00:12.000Z",
            "text": "Where is my order?",
            "confidence": 0.45,
        },
    ),
    "turn.resumed": (
        0,
        12.5,
        {**_INBOUND, "segment_id": "CA1-inbound-3", "at": 12.4, "at_time": "2026-11-20T10:00:12.400Z"},
    ),
    "dtmf.received": (14, 15.02, {"track": "inbound", "digit": "1", "at": 15.0}),
    "audio.gap": (
        15,
        21.5,
        {"track": "outbound", "from": 20.4, "to": 21.1, "missing": 0.7, "why": "lost"},
    ),
    "stream.failed": (16, 24.0, {"stream_id": "MZ1", "error": "Stream - WebSocket - Connection Broken Pipe"}),
    "transcription.interrupted": (
        17,
        30.0,
        {
            "reason": "Too many requests",
            "status": 429,
            "attempt": 1,
            "waiting": 2.4,
            "retry": True,
            "origin": "api.deepgram.com:443",
        },
    ),
    "transcription.resumed": (
        18,
        33.0,
        {"attempt": 1, "waiting": 5.4, "request_id": _REQUEST, "origin": "api.deepgram.com:443"},
    ),
    "transcription.backfilled": (
        31,
        75.0,
        {"from": 41.2, "to": 52.0, "waiting": 0.0, "request_id": _REQUEST, "model": "general-nova-3"},
    ),
    "transcription.configured": (
        19,
        34.0,
        {"keyterms": ["Acme"], "numerals": True, "at": 33.9, "by": "api", "request_id": _REQUEST},
    ),
    "pause.started": (20, 36.0, {"at": 35.9, "by": "page"}),
    "pause.ended": (21, 39.0, {"at": 38.9, "by": "page"}),
    "call.resumed": (
        24,
        44.0,
        {
            "reason": "carrier_reconnected",
            "stream_id": "MZ2",
            "at": 43.8,
            "uncovered": [{"track": "inbound", "from": 41.2, "to": 42.6}],
            "unheard": [{"track": "inbound", "from": 42.6, "to": 43.8}],
        },
    ),
    "call.ended": (
        30,
        60.4,
        {
            "reason": "stopped",
            "duration": 60.0,
            "ended_at": "2026-11-20T10:01:00.400Z",
            "flush": "timed_out",
            "missing": 10.8,
            "uncovered": [{"track": "inbound", "from": 41.2, "to": 52.0}],
            "counts": {"finals": 14, "words": 96, "utterances": 9, "gaps": 1, "streams": 2, "deepgram_sockets": 2},
            "figures": {
                "talk_time": {"caller": 19.4, "callee": 21.7},
                "words": {"caller": 45, "callee": 51},
                "words_per_minute": {"caller": 139.2, "callee": 141.0},
                "talk_over": 0.6,
                "longest_silence": 4.2,
                "response_time": {"caller": 0.62, "callee": 0.48},
            },
            "latency": {"p50": 0.31, "p99": 0.72, "max": 0.9, "measured": 118},
            "requests": [
                {
                    "request_id": _REQUEST,
                    "model": "general-nova-3",
                    "version": "2025-07-31.0",
                    "start": 0.0,
                    "origin": "api.deepgram.com:443",
                }
            ],
            "transcript_url": "https://calls.example.com/calls/CA1/transcript.json",
        },
    ),
    "event.lost": (22, 40.0, {}),
    "webhook.test": (0, 0.0, {"by": "webhook test"}),
}
"""By type: the `seq`, for what has one; seconds after the start of the call; what is said."""
