"""All that Deepgram can be asked for, field by field, in every place where a user looks for it."""

import json
import re
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.server import serve

from bridge.local.receiver import Receiver
from tests.fakes import frames
from tests.fakes.reading import BEARER, TOKEN
from tests.fakes.running import WEBHOOK_SECRET, bridge, settings
from tests.fakes.talk import play

PAGE = Path(__file__).parent.parent.parent / "bridge" / "docs" / "events.md"

MODEL = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}
METADATA = {"request_id": "r1", "model_uuid": "u", "model_info": MODEL}


def word(text, start, **more):
    return {
        "word": text.lower(),
        "punctuated_word": text,
        "start": start,
        "end": start + 0.2,
        "confidence": 0.9,
        **more,
    }


WORDS = [
    word("Soy", 0.2, speaker=0, language="es"),
    word("Anna.", 0.5, speaker=0, language="es"),
    word("My", 0.9, speaker=1, language="en"),
    word("card", 1.2, speaker=1, language="en"),
]
BEST = {"transcript": "Soy Anna. My card", "confidence": 0.9, "words": WORDS, "languages": ["es", "en"]}
HIT = {"confidence": 0.8, "start": 1.2, "end": 1.4, "snippet": "card"}
ENTITY = {"label": "PERSON_NAME", "value": "Anna", "raw_value": "anna", "confidence": 0.7}


def results(place, **more):
    best = more.pop("best", BEST)
    heard = {"type": "Results", "channel_index": [place, 2], "start": 0.0, "duration": 2.0, "is_final": True}
    heard |= {"speech_final": False, "from_finalize": False, "channel": {"alternatives": [best]}, "metadata": METADATA}
    return {**heard, **more}


ANSWER = [
    {"type": "SpeechStarted", "channel": [0, 2], "timestamp": 0.1},
    results(0, is_final=False, best={**BEST, "transcript": "Soy Anna.", "words": WORDS[:2], "languages": ["es"]}),
    results(
        0,
        channel={
            "alternatives": [BEST, {"transcript": "So Anna may care", "confidence": 0.3, "words": []}],
            "search": [{"query": "card", "hits": [HIT]}, {"query": "order", "hits": []}],
        },
        entities=[{**ENTITY, "start_word": 1, "end_word": 2}],
    ),
    {"type": "UtteranceEnd", "channel": [0, 2], "last_word_end": 1.4},
    results(
        1,
        best={"transcript": "OK.", "confidence": 0.9, "words": [word("OK.", 0.1)]},
        speech_final=True,
        from_finalize=True,
    ),
]


@pytest.fixture
async def full():
    """A Deepgram that answers the first two seconds with all that it can."""

    async def answer(socket):
        said, octets = False, 0
        async for message in socket:
            octets += len(message) if isinstance(message, bytes) else 0
            if octets >= 32_000 and not said:
                said = True
                for each in ANSWER:
                    await socket.send(json.dumps(each))
            if isinstance(message, str) and "CloseStream" in message:
                await socket.send('{"type":"Metadata"}')
                return

    def named(_, response):
        response.headers["dg-request-id"] = "r1"
        return

    async def process(connection, request, response):
        return named(connection, response)

    async with serve(answer, "127.0.0.1", 0, process_response=process) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def seen(full, tmp_path):
    """Where a user looks, by name: lists of events, and texts."""
    async with Receiver(WEBHOOK_SECRET) as receiver:
        given = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "webhook_interim": True}
        given |= {"webhook_speech_started": True, "bridge_read_tokens": TOKEN}
        async with bridge(settings(tmp_path, full, **given)) as origin:
            async with aiohttp.ClientSession(origin, headers=BEARER) as session:
                await play(origin, 0, 24_000)
                await receiver.until(lambda: any(one["type"] == "call.ended" for one in receiver.events(frames.CALL)))
                found = {"webhook": receiver.events(frames.CALL)}
                async with session.get(f"/calls/{frames.CALL}/events") as response:
                    found["record"] = (await response.json())["events"]
                for form in ("json", "txt", "vtt", "srt"):
                    async with session.get(f"/calls/{frames.CALL}/transcript.{form}") as response:
                        found[form] = await response.text()
    return found


def data(events, type_, track="inbound"):
    (found,) = (one["data"] for one in events if one["type"] == type_ and one["data"].get("track", track) == track)
    return found


def assert_final(final):
    assert [one.get("speaker") for one in final["words"]] == [0, 0, 1, 1]
    assert [one.get("language") for one in final["words"]] == ["es", "es", "en", "en"]
    assert (final["language"], final["languages"]) == ("es", ["es", "en"])
    assert final["search"] == [{"query": "card", "start": 1.2, "end": 1.4, "confidence": 0.8, "snippet": "card"}]
    assert final["entities"] == [{**ENTITY, "start_word": 1, "end_word": 2}]
    assert final["alternatives"] == [{"text": "So Anna may care", "confidence": 0.3}]
    assert (final["text"], final["words"][1]["text"]) == ("Soy Anna. My card", "Anna.")
    assert (final["speech_final"], final["from_finalize"]) == (False, False)


async def test_everything_that_was_asked_for_arrives(seen):
    for place in ("webhook", "record"):
        events = seen[place]
        assert_final(data(events, "transcript.final"))
        assert data(events, "transcript.final", "outbound")["from_finalize"]
        turns = [one["data"] for one in events if one["type"] == "utterance.completed"]
        assert [(turn["text"], turn.get("voice"), turn["ended_by"]) for turn in turns] == [
            ("Soy Anna.", 0, "speaker"),
            ("My card", 1, "utterance_end"),
            ("OK.", None, "pause"),
        ]
        (request,) = data(events, "call.ended")["requests"]
        assert (request["request_id"], request["model"]) == ("r1", MODEL["name"])
        assert (request["version"], request["start"]) == (MODEL["version"], 0.0)
    document = json.loads(seen["json"])
    assert_final(next(one for one in document["segments"] if one["track"] == "inbound"))
    assert [(turn["speaker"], turn["voice"]) for turn in document["turns"] if turn["track"] == "inbound"] == [
        ("inbound 1", 0),
        ("inbound 2", 1),
    ]
    for form in ("txt", "vtt", "srt"):
        assert all(name in seen[form] for name in ("inbound 1", "inbound 2")), form


FIELDS = {
    "transcript.final": {"words.speaker", "words.language", "language", "languages", "search", "entities"}
    | {"alternatives", "text", "words.text", "speech_final", "from_finalize"},
    "utterance.completed": {"voice", "ended_by"},
    "transcript.interim": set(),
    "speech.started": {"at"},
    "turn.eager_end": {"text", "confidence"},
    "turn.resumed": set(),
    "call.ended": {"requests"},
    "transcription.backfilled": {"request_id", "model"},
}
"""What the test above finds, and those of `test_backfill`, `test_interims` and `test_flux`."""


def test_the_pages_table_names_what_is_tested():
    table = re.search(r"\| feature \| parameter \| field \|\n\|.*\n((?:\|.*\n)+)", PAGE.read_text())
    named = {}
    for row in table[1].splitlines():
        for part in row.strip("|").split("|")[2].split("; `"):
            event, *fields = re.findall(r"`([a-z_.]+)`", part if part.lstrip().startswith("`") else f"`{part}")
            if event in FIELDS:
                named.setdefault(event, set()).update(fields)
    values = {"pause", "utterance_end"}

    assert {event: fields - values for event, fields in named.items()} == FIELDS
