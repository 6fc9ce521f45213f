"""The record as readers get it: lists, calls, events, transcripts, deletion."""

import asyncio
import io
import json
import wave
from dataclasses import replace

import pytest

from bridge.errors import StoreError
from bridge.events import AudioGap, Figures, Word, timestamp
from bridge.local.wav import parse_wav
from bridge.outbox import Settlement
from tests.fakes import words
from tests.fakes.reading import doors, reader

STARTED = timestamp(words.STARTED_AT)


@pytest.fixture
async def place(tmp_path):
    async with doors(tmp_path) as running:
        yield running


@pytest.fixture
async def session(place):
    async with reader(place) as somebody:
        yield somebody


async def get(session, path, status=200):
    async with session.get(path) as response:
        assert response.status == status, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        return await response.json()


async def ids(session, query):
    return [call["id"] for call in (await get(session, f"/calls?{query}"))["calls"]]


def said(call_id, seq, text, start, **more):
    """A final with the times of its words."""
    parts = text.split()
    spoken = [
        Word(word=part.lower(), text=part, start=start + number * 0.4, end=start + number * 0.4 + 0.3, confidence=0.9)
        for number, part in enumerate(parts)
    ]
    return words.final(call_id, seq, text=text, start=start, end=spoken[-1].end, words=spoken, **more)


async def test_figures_are_those_of_the_end_where_nothing_was_transcribed_after_it(place, session):
    told = {"talk_time": {"caller": 1.0}, "words": {"caller": 77}, "words_per_minute": {"caller": 9.0}}
    told |= {"talk_over": 0.0, "longest_silence": 1.0, "response_time": {"caller": None}}
    for call_id, flush in (("CA8", "complete"), ("CA9", "timed_out")):
        end = words.ended(call_id, seq=2)
        data = end.data.model_copy(update={"figures": Figures.model_validate(told), "flush": flush})
        await place.store.append([words.started(call_id), replace(end, data=data)])

    assert (await get(session, "/calls/CA8"))["figures"] == told
    assert (await get(session, "/calls/CA9"))["figures"]["words"] == {"caller": 0, "agent": 0}


def record(folder, call_id, audio=b"\x10\x20" * 8000):
    """A recording of a second, as the audio store leaves it."""
    path = folder / "recordings" / call_id
    path.mkdir(parents=True)
    (path / f"{0:012d}.ulaw").write_bytes(audio)


@pytest.fixture
async def calls(place):
    """One call that has ended, and one that goes on."""
    gap = AudioGap(track="inbound", from_=3.0, to=4.0, missing=1.0, why="lost")
    await place.store.append(
        [
            words.started("CA1"),
            said("CA1", 2, "Where is my order?", 1.0),
            said("CA1", 3, "On its way.", 5.0, track="outbound", speaker="agent"),
            words.event("CA1", 4, gap),
            words.ended("CA1", 5),
        ]
    )
    await place.store.append([words.started("CA2"), said("CA2", 2, "<b>Bonjour</b> & hello", 1.0)])
    return place


async def test_the_list(calls, session):
    body = await get(session, "/calls")
    assert [call["id"] for call in body["calls"]] == ["CA2", "CA1"]
    assert body["next"] is None
    assert body["calls"][0] == {
        "id": "CA2",
        "name": None,
        "carrier": "twilio",
        "carrier_call_id": "CA2",
        "continues": None,
        "from": "+15550001",
        "to": "+15550002",
        "direction": "inbound",
        "speakers": {"inbound": "caller", "outbound": "agent"},
        "started_at": STARTED,
        "continued_by": None,
        "ended_at": None,
        "active": True,
        "duration": None,
        "reason": None,
        "missing": None,
        "waiting": None,
        "backfilled": None,
        "seq": 2,
        "last": {"speaker": "caller", "text": "<b>Bonjour</b> & hello"},
        "snippet": None,
        "figures": None,
    }
    ended = body["calls"][1]
    assert (ended["active"], ended["duration"], ended["reason"]) == (False, 60.0, "stopped")
    assert ended["ended_at"] == timestamp(words.STARTED_AT + 60)


async def test_pages(place, session):
    for number in range(5):
        await place.store.append(words.conversation(f"CA{number}", finals=1))
    first = await get(session, "/calls?limit=2")
    assert ([call["id"] for call in first["calls"]], first["next"]) == (["CA4", "CA3"], "CA3")
    second = await get(session, f"/calls?limit=2&before={first['next']}")
    assert ([call["id"] for call in second["calls"]], second["next"]) == (["CA2", "CA1"], "CA1")
    last = await get(session, "/calls?limit=2&before=CA1")
    assert ([call["id"] for call in last["calls"]], last["next"]) == (["CA0"], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("active=true", ["CA2"]),
        ("active=false", ["CA1"]),
        ("from=%2B15550001", ["CA2", "CA1"]),
        ("from=+15550001", ["CA2", "CA1"]),  # a plus sign that nobody encoded
        ("to=0001", []),
        ("carrier_call_id=CA1", ["CA1"]),
        ("carrier_call_id=CA", []),
        ("id=CA", ["CA2", "CA1"]),
        ("id=CA1", ["CA1"]),
        (f"since={STARTED}", ["CA2", "CA1"]),
        (f"until={STARTED}", []),
        ("since=2027-01-15T09:00:00+01:00", ["CA2", "CA1"]),
        ("since=2027-01-15T08:00:01", []),
        ("q=order", ["CA1"]),
        ("q=%22my+order%22", ["CA1"]),
        ("q=", ["CA2", "CA1"]),
        ("q=order&active=true", []),
    ],
)
async def test_filters(calls, session, query, found):
    assert await ids(session, query) == found


async def test_a_search_shows_what_was_said(calls, session):
    [call] = (await get(session, "/calls?q=bonjour"))["calls"]
    assert call["snippet"] == "<b>Bonjour</b> & hello"


@pytest.mark.parametrize(
    ("query", "said_of_it"),
    [
        ("active=maybe", "active must be true or false"),
        ("limit=0", "limit must be a whole number, 1 to 200"),
        ("limit=x", "limit"),
        ("since=yesterday", "since must be a time"),
        ("sort=asc", "There is no filter sort"),
    ],
)
async def test_what_makes_no_sense_is_said_to(session, query, said_of_it):
    assert said_of_it in (await get(session, f"/calls?{query}", 400))["error"]


async def test_one_call(calls, session):
    record(calls.folder, "CA1")
    call = await get(session, "/calls/CA1")
    assert call["parameters"] == {"team": "süd"}
    assert call["figures"]["words"] == {"caller": 4, "agent": 3}
    assert call["figures"]["longest_silence"] == pytest.approx(60 - 6.1)
    assert call["figures"]["response_time"] == {"caller": None, "agent": 2.5}
    assert (call["flush"], call["missing"], call["counts"]) == ("complete", 0.0, {"finals": 3})
    assert call["audio"] == {"available": True, "url": "/calls/CA1/audio.wav"}
    assert call["delivery"] == {"state": "pending", "cursor": 0, "attempts": 0, "reason": None}


async def test_a_call_that_goes_on_has_figures_so_far(calls, session):
    record(calls.folder, "CA2")
    call = await get(session, "/calls/CA2")
    assert (call["active"], call["figures"]["words"]["caller"], call["counts"]) == (True, 3, None)
    assert call["figures"]["longest_silence"] == 1.0, "what is not transcribed yet is no silence"
    assert call["audio"]["available"] is False
    paused = AudioGap(track="inbound", from_=2.5, to=8.5, missing=6.0, why="paused")
    lost = paused.model_copy(update={"from_": 0.0, "to": 9.0, "why": "lost"})
    gaps = [replace(said("CA2", seq, "x", 9.0), data=data) for seq, data in ((3, paused), (4, lost))]
    await calls.store.append([*gaps, said("CA2", 5, "one more", 9.0)])
    figures = (await get(session, "/calls/CA2"))["figures"]
    assert (figures["words"]["caller"], figures["longest_silence"]) == (5, 1.0)
    assert (await get(session, "/calls/CA2"))["figures"]["words"]["caller"] == 5


async def test_how_the_delivery_stands(calls, session):
    for lane in await calls.store.claim("webhook", 10, lease=60.0, now=0.0):
        parked = "the webhook refused it" if lane.call_id == "CA2" else None
        cursor = 5 if lane.call_id == "CA1" else 1
        await calls.store.settle(lane, Settlement(cursor=cursor, batch_to=None, attempts=2, parked=parked))
    assert (await get(session, "/calls/CA1"))["delivery"]["state"] == "delivered"
    delivery = (await get(session, "/calls/CA2"))["delivery"]
    assert delivery == {"state": "parked", "cursor": 1, "attempts": 2, "reason": "the webhook refused it"}


@pytest.mark.parametrize("path", ["", "/events", "/transcript.txt"])
async def test_there_is_no_such_call(session, path):
    assert (await get(session, f"/calls/nobody{path}", 404))["error"] == "There is no such call."


async def test_events_page_by_page(calls, session):
    first = await get(session, "/calls/CA1/events?limit=3")
    assert [event["seq"] for event in first["events"]] == [1, 2, 3]
    assert (first["next_after"], first["ended"]) == (3, False)
    rest = await get(session, "/calls/CA1/events?after=3")
    assert [event["type"] for event in rest["events"]] == ["audio.gap", "call.ended"]
    assert (rest["next_after"], rest["ended"]) == (5, True)
    assert (await get(session, "/calls/CA1/events?after=5"))["events"] == []


async def test_events_of_a_call_that_goes_on(calls, session):
    page = await get(session, "/calls/CA2/events?after=1")
    assert ([event["seq"] for event in page["events"]], page["next_after"], page["ended"]) == ([2], 2, False)


async def test_events_by_type(calls, session):
    page = await get(session, "/calls/CA1/events?types=audio.gap,call.started&limit=5")
    assert [event["type"] for event in page["events"]] == ["call.started", "audio.gap"]
    assert (page["next_after"], page["ended"]) == (5, True)
    page = await get(session, "/calls/CA1/events?types=transcript.final&limit=1")
    assert (page["next_after"], page["ended"]) == (2, False)


async def test_the_events_are_those_of_the_webhook(calls, session):
    page = await get(session, "/calls/CA1/events")
    assert page["events"][1] == json.loads(said("CA1", 2, "Where is my order?", 1.0).to_json())


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=1001", "limit=0"])
async def test_a_bad_page_of_events(calls, session, query):
    assert (await get(session, f"/calls/CA1/events?{query}", 400))["error"]


@pytest.mark.parametrize(
    ("form", "kind", "holds"),
    [
        ("txt", "text/plain", "[00:01.0] caller: Where is my order?"),
        ("srt", "application/x-subrip", "00:00:01,000 --> "),
        ("vtt", "text/vtt", "<v caller>Where is my order?"),
        ("json", "application/json", '"text": "Where is my order?"'),
    ],
)
async def test_transcripts(calls, session, form, kind, holds):
    async with session.get(f"/calls/CA1/transcript.{form}") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert response.headers["Content-Disposition"] == f'inline; filename="CA1.{form}"'
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert holds in await response.text()


async def test_a_transcript_as_json_has_figures_and_gaps(calls, session):
    document = await get(session, "/calls/CA1/transcript.json")
    assert document["figures"]["words"] == {"caller": 4, "agent": 3}
    assert [gap["why"] for gap in document["gaps"]] == ["lost"]
    assert [turn["speaker"] for turn in document["turns"]] == ["caller", "agent"]


async def test_what_came_after_the_end_is_not_told_as_missing(place, session):
    async def told():
        """What the list, the call itself and its transcript say."""
        one = await get(session, "/calls/CA1")
        document = await get(session, "/calls/CA1/transcript.json")
        listed = (await get(session, "/calls"))["calls"][0]
        names = ("missing", "waiting", "backfilled")
        assert [listed[name] for name in names] == [one[name] for name in names]
        assert [document["completeness"][name] for name in names] == [one[name] for name in names]
        words = one["figures"]["words"]["caller"]
        return [one[name] for name in names], words, [(gap["from"], gap["to"]) for gap in document["gaps"]]

    start = [words.started(), said("CA1", 2, "Where is my order?", 1.0), words.ended("CA1", 3, ((4.0, 10.0),))]
    await place.store.append(start)
    assert await told() == ([6.0, 6.0, 0.0], 4, [])
    async with session.get("/calls/CA1/transcript.txt") as response:
        assert (await response.text()).endswith("(6.0 s are still to be transcribed)\n")

    await place.store.append([words.gap("CA1", 4, 4.0, 10.0)])
    assert await told() == ([6.0, 0.0, 0.0], 4, [(4.0, 10.0)])

    piece = said("CA1", 5, "Hello again.", 4.5, source="backfill")
    await place.store.append([piece, words.backfilled("CA1", 6, 4.0, 6.0, waiting=4.0)])
    assert await told() == ([4.0, 0.0, 2.0], 6, [(6.0, 10.0)])

    await place.store.append([words.backfilled("CA1", 7, 6.0, 10.0)])
    assert await told() == ([0.0, 0.0, 6.0], 6, [])
    async with session.get("/calls/CA1/transcript.txt") as response:
        assert "transcribed" not in await response.text()


async def test_no_transcript_of_that_form(calls, session):
    assert ".vtt" in (await get(session, "/calls/CA1/transcript.doc", 404))["error"]


async def test_markup_in_what_was_said_stays_text(calls, session):
    async with session.get("/calls/CA2/transcript.vtt") as response:
        assert "&lt;b&gt;Bonjour&lt;/b&gt; &amp; hello" in await response.text()


async def test_the_recording_is_as_long_as_the_call(calls, session):
    record(calls.folder, "CA1")
    async with session.get("/calls/CA1/audio.wav") as response:
        assert (response.status, response.content_type) == (200, "audio/wav")
        inbound, outbound = parse_wav(await response.read())
    assert (inbound[:8000], outbound[:8000]) == (b"\x10" * 8000, b"\x20" * 8000)
    assert inbound[8000:] == outbound[8000:] == b"\xff" * 8000 * 59


async def test_the_recording_as_pcm(calls, session):
    record(calls.folder, "CA1")
    async with session.get("/calls/CA1/audio.wav?format=pcm") as response:
        with wave.open(io.BytesIO(await response.read())) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
            assert file.getnframes() == 60 * 8000


async def test_there_is_no_recording(calls, session):
    record(calls.folder, "CA2")
    assert "no recording" in (await get(session, "/calls/CA1/audio.wav", 404))["error"]
    assert "has not ended" in (await get(session, "/calls/CA2/audio.wav", 404))["error"]
    assert "format" in (await get(session, "/calls/CA1/audio.wav?format=mp3", 400))["error"]


async def test_deleting(calls, session):
    async with session.delete("/calls/CA1") as response:
        assert response.status == 204
    assert await ids(session, "") == ["CA2"]
    assert await ids(session, "q=order") == []
    async with session.delete("/calls/CA1") as response:
        assert response.status == 404


async def test_a_call_that_goes_on_is_not_deleted(calls, session):
    async with session.delete("/calls/CA2") as response:
        assert response.status == 409
        assert "going on" in (await response.json())["error"]
    assert "CA2" in await ids(session, "")


async def test_a_transcript_of_hours_does_not_hold_up_the_others(place, session):
    await place.store.append([words.started("CA1")])
    for first in range(2, 5002, 500):
        await place.store.append(
            [said("CA1", seq, "so it goes on and on", float(seq)) for seq in range(first, first + 500)]
        )
    slow = asyncio.ensure_future(get(session, "/calls/CA1/transcript.json"))
    quick = 0
    while not slow.done():
        await get(session, "/calls?limit=1")
        quick += 1
    assert len((await slow)["segments"]) == 5000
    assert quick > 3


async def test_a_page_after_a_call_that_was_deleted_is_not_the_last(place, session):
    for number in range(4):
        await place.store.append(words.conversation(f"CA{number}"))
    following = (await get(session, "/calls?limit=2"))["next"]
    await place.store.delete(following)
    assert "begin with the first page" in (await get(session, f"/calls?before={following}", 404))["error"]


async def test_the_end_of_the_pages(place, session):
    await place.store.append(words.conversation("CA1"))
    assert await get(session, "/calls?before=CA1") == {"calls": [], "next": None}


async def test_what_cannot_be_deleted_now_is_not_said_to_go_on(monkeypatch, place, session):
    async def refuse(call_id):
        raise StoreError(f"cannot delete the recording of {call_id}: Permission denied")

    await place.store.append(words.conversation("CA1"))
    monkeypatch.setattr(place.door, "_delete", refuse)
    async with session.delete("/calls/CA1") as response:
        assert response.status == 503 and "Permission denied" in (await response.json())["error"]
