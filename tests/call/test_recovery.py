"""Calls that another process has left open: what is known of them, and how they end or go on."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from bridge.call import CallRegistry
from bridge.call import recovery as module
from bridge.call.projection import Projection
from bridge.call.recovery import Recovery, last_heard, leave_out_pauses, open_audio, read_projection, reopen
from bridge.events import CallResumed, Stretch, timestamp
from bridge.spans import Span
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore
from bridge.store.base import Query
from bridge.store.kept import Left
from bridge.store.sqlite import SQLiteStore
from tests.fakes.calls import HandClock, services
from tests.fakes.hand_overs import MemoryHandOvers
from tests.fakes.objects import MemoryObjects
from tests.fakes.words import STARTED_AT, event, final, gap, started

NOW = STARTED_AT + 60.0
SECOND = 8000


@pytest.fixture
async def stores(tmp_path):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        yield store, audio


async def left_open(store, audio, call_id="CA1", seconds=10.0, said=((2.0, "inbound"), (4.0, "outbound")), **begun):
    """A call with so much kept audio, and finals of one second each."""
    finals = [final(call_id, seq, start=start, track=track) for seq, (start, track) in enumerate(said, 2)]
    await store.append([started(call_id, **begun), *finals])
    await store.release(call_id)
    if seconds:
        file = audio.open(call_id)
        file.append(bytes(round(seconds * SECOND) * 2))
        file.write_note({"anchor": STARTED_AT + 0.25})
        file.close()
        await audio.flush()


def test_no_one_waits_for_the_words_of_a_pause():
    past = Projection()
    past.latest = 9.0
    past.uncovered = [Stretch(track="inbound", from_=1.0, to=9.0), Stretch(track="outbound", from_=2.5, to=3.5)]
    past.pauses, past.paused = [Span(2 * SECOND, 3 * SECOND)], 6 * SECOND
    leave_out_pauses(past)

    assert past.uncovered == [
        Stretch(track="inbound", from_=1.0, to=2.0),
        Stretch(track="inbound", from_=3.0, to=6.0),
        Stretch(track="outbound", from_=3.0, to=3.5),
    ]


async def note(audio, **said):
    """Put another note beside what was left."""
    file = await audio.reopen("CA1")
    file.write_note(said)
    file.close()
    await audio.flush()


async def found(store, audio):
    recovery = Recovery(store, audio)
    await recovery.find()
    return recovery


async def end_all(store, audio):
    """The next process: every call that was left open ends, as no stream comes. Which are to be backfilled."""
    clock = HandClock()
    clock.time = NOW
    uncovered = []
    no_server = type("", (), {"url": "ws://127.0.0.1:1"})
    given = services(store, no_server, clock)
    registry = CallRegistry(given, max_calls=1000, audio=audio, on_uncovered=uncovered.append)
    await registry.recover()
    async with asyncio.timeout(60):
        while registry.calls:
            await asyncio.sleep(0.005)
    await registry.end_all(1.0)
    return uncovered


async def end_of(store, call_id="CA1"):
    (event,) = await store.read(Query(call_id, ("call.ended",)))
    return json.loads(event.body)["data"]


async def test_a_call_ends_with_what_its_audio_still_holds(stores):
    store, audio = stores
    await left_open(store, audio)

    assert await end_all(store, audio) == ["CA1"]
    ended = await end_of(store)
    assert (ended["reason"], ended["duration"], ended["flush"], ended["missing"]) == (
        "bridge_restarted",
        10.0,
        "timed_out",
        7.0,
    )
    assert ended["uncovered"] == [
        {"track": "inbound", "from": 3.0, "to": 10.0},
        {"track": "outbound", "from": 5.0, "to": 10.0},
    ]
    assert ended["ended_at"] == timestamp(NOW)
    assert audio.kept() == ["CA1"]


async def test_a_call_whose_audio_is_all_transcribed_needs_none_of_it(stores):
    store, audio = stores
    await left_open(store, audio, seconds=5.0, said=((4.0, "inbound"), (4.0, "outbound")))

    assert await end_all(store, audio) == []
    assert (await end_of(store))["flush"] == "timed_out", "what came last need not have reached the disk"
    assert audio.kept() == []


async def test_a_call_that_was_left_in_order_with_all_its_words_is_complete(stores):
    store, audio = stores
    await left_open(store, audio, seconds=5.0, said=((4.0, "inbound"), (4.0, "outbound")))
    await note(audio, uncovered=[])

    assert await end_all(store, audio) == []
    assert (await end_of(store))["flush"] == "complete"


async def test_without_its_audio_no_one_knows_what_was_said_last(stores):
    store, audio = stores
    await left_open(store, audio, seconds=0)

    assert await end_all(store, audio) == []
    ended = await end_of(store)
    assert (ended["duration"], ended["flush"], ended["missing"], ended["uncovered"]) == (5.0, "timed_out", 0.0, [])


async def test_a_turn_that_was_cut_is_completed_before_the_end(stores):
    store, audio = stores
    await left_open(store, audio, said=((2.0, "inbound"), (3.0, "inbound"), (4.0, "outbound")))
    await end_all(store, audio)
    events = [json.loads(event.body) for event in await store.read(Query("CA1"))]

    assert [event["type"] for event in events[-3:]] == ["utterance.completed", "utterance.completed", "call.ended"]
    assert [event["data"]["segment_ids"] for event in events[-3:-1]] == [
        [event["data"]["segment_id"] for event in events[1:3]],
        [events[3]["data"]["segment_id"]],
    ]


async def test_it_ends_once(stores):
    store, audio = stores
    await left_open(store, audio)
    await end_all(store, audio)

    assert (await found(store, audio)).left == {}
    assert await end_all(store, audio) == []
    await end_of(store)


async def test_a_call_comes_with_its_record_and_its_audio(stores):
    store, audio = stores
    await left_open(store, audio)
    recovery = await found(store, audio)
    adopted = await recovery.adopt("CA1")

    assert (json.loads(adopted.header)["id"], adopted.epoch) == ("CA1", 2)
    assert (adopted.past.seq, adopted.audio.end) == (3, 10 * SECOND)
    assert adopted.past.anchor == STARTED_AT + 0.25
    assert adopted.past.uncovered == [
        Stretch(track="inbound", from_=3.0, to=10.0),
        Stretch(track="outbound", from_=5.0, to=10.0),
    ]
    assert await recovery.adopt("CA1") is None
    assert recovery.left == {}


@pytest.mark.parametrize(
    ("noted", "said", "anchor"),
    [
        ({"anchor": STARTED_AT + 0.25}, 5.0, STARTED_AT + 0.25),
        ({}, 5.0, STARTED_AT + 3.0),  # the finals know it
        ({}, None, STARTED_AT),  # the first event is all that is known
    ],
)
async def test_when_a_call_began_is_told_by_its_note_or_its_finals_or_its_start(stores, noted, said, anchor):
    store, audio = stores
    finals = [] if said is None else [final(start=said, start_time=timestamp(STARTED_AT + 3.0 + said))]
    await store.append([started(), *finals])
    await store.release("CA1")
    file = audio.open("CA1")
    file.write_note(noted)
    file.close()
    await audio.flush()
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.anchor == anchor


@pytest.mark.parametrize(("noted", "tracks"), [(["outbound"], ("outbound",)), ([], ("inbound", "outbound"))])
async def test_the_tracks_of_a_call_are_those_of_its_note_or_else_of_its_first_stream(stores, noted, tracks):
    store, audio = stores
    await left_open(store, audio)
    await note(audio, tracks=noted)
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.tracks == tracks
    assert not adopted.past.audio_lost


@pytest.mark.parametrize(
    ("resumed", "is_last"), [(None, True), (2, True), (3, True), (1, False)], ids=["of an older bridge", "", "", ""]
)
async def test_audio_of_a_process_before_the_last_is_not_gone_on_with(stores, caplog, resumed, is_last):
    store, audio = stores
    await left_open(store, audio)
    await note(audio, resumed=resumed)
    file = await reopen(audio, "CA1", 2)

    assert (file is not None, audio.is_open("CA1"), audio.kept()) == (is_last, is_last, [])
    assert [record.message for record in caplog.records] == ([] if is_last else ["kept audio is of an earlier process"])


async def test_processes_that_share_one_disk_have_the_newest_audio_there(stores):
    past = Projection()
    past.resumed = 2
    shared = SimpleNamespace(lease=10.0)

    assert (last_heard(past, shared), last_heard(past, stores[0]), last_heard(past, None)) == (2, 0, 0)


async def test_a_call_of_which_no_audio_is_left_is_kept_from_now_on(stores, caplog):
    store, audio = stores
    await left_open(store, audio, seconds=0)
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.audio_lost
    assert (adopted.audio.start, adopted.audio.end) == (0, 0)
    assert audio.is_open("CA1")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        (((2.0, "inbound"), (4.0, "outbound")), {"inbound": 3.0}),  # something may have been said up to 5 s
        (((2.0, "inbound"), (40.0, "outbound")), {"inbound": 31.0}),  # nothing that a final would not have told of
        (((40.0, "inbound"),), {"outbound": 31.0}),
    ],
)
async def test_what_a_track_may_have_said_that_is_on_no_disk_is_missing_from_its_own_last_final_on(
    stores, said, silent
):
    store, audio = stores
    await left_open(store, audio, seconds=0, said=said)
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.silent == {track: round(end * SECOND) for track, end in silent.items()}


async def test_it_is_missing_from_there_on_too_where_a_process_in_between_heard_nothing_and_let_go(stores):
    store, audio = stores
    await left_open(store, audio, seconds=0, said=((2.0, "inbound"), (4.0, "outbound")))
    store.hand_overs = MemoryHandOvers()
    store.hand_overs.leaves["CA1"] = Left({"uncovered": [], "silent": {"inbound": 3 * SECOND}}, 0, b"")
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.silent == {"inbound": 3 * SECOND}


async def test_a_gap_that_was_told_is_not_told_again(stores):
    store, audio = stores
    await store.append([started("CA1"), final("CA1", 2, start=2.0), gap("CA1", 3, 3.0, 7.0)])
    await store.release("CA1")
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.silent == {"outbound": 0}


def resumed(call_id, seq, at, *stretches, reason="bridge_restarted"):
    """By a process that told of no gap before it died."""
    unheard = [Stretch(track=track, from_=start, to=end) for track, start, end in stretches]
    return event(call_id, seq, CallResumed(reason=reason, stream_id="MZ2", at=at, unheard=unheard))


async def test_what_was_unheard_before_a_process_that_died_is_told_by_the_next_and_the_next_gap_begins_after_it(stores):
    store, audio = stores
    back = resumed("CA1", 3, 15.0, ("inbound", 9.0, 15.0), ("outbound", 8.0, 15.0))
    await store.append([started("CA1"), final("CA1", 2, start=2.0), back, final("CA1", 4, start=16.0)])
    await store.release("CA1")
    past = (await (await found(store, audio)).adopt("CA1")).past

    assert [(one.track, one.from_, one.to, why) for one, why in past.unheard] == [
        ("inbound", 9.0, 15.0, "bridge_restarted"),
        ("outbound", 8.0, 15.0, "bridge_restarted"),
    ]
    assert past.silent == {"outbound": 15 * SECOND}


async def test_it_is_told_with_what_was_lost_before_it(stores):
    store, audio = stores
    back = resumed("CA1", 3, 15.0, ("inbound", 9.0, 15.0), reason="carrier_reconnected")
    await store.append([started("CA1"), final("CA1", 2, start=6.0), back])
    await store.release("CA1")
    past = (await (await found(store, audio)).adopt("CA1")).past

    assert [(one.track, one.from_, one.to) for one, _ in past.unheard] == [("inbound", 7.0, 15.0)]
    assert past.silent == {"inbound": 15 * SECOND, "outbound": 5 * SECOND}


async def test_no_one_waits_for_its_words(stores):
    store, audio = stores
    await left_open(store, audio, seconds=20.0)
    await store.take("CA1")
    await store.append([resumed("CA1", 4, 15.0, ("inbound", 9.0, 15.0), reason="carrier_reconnected")])
    await store.release("CA1")

    assert await end_all(store, audio) == ["CA1"]
    assert [stretch for stretch in (await end_of(store))["uncovered"] if stretch["track"] == "inbound"] == [
        {"track": "inbound", "from": 3.0, "to": 9.0},
        {"track": "inbound", "from": 15.0, "to": 20.0},
    ]
    (told,) = await store.read(Query("CA1", ("audio.gap",)))
    assert json.loads(told.body)["data"] == {
        "track": "inbound",
        "from": 9.0,
        "to": 15.0,
        "missing": 6.0,
        "why": "carrier_reconnected",
    }


@pytest.mark.parametrize("fails", [False, True])
async def test_audio_of_a_node_that_is_gone_comes_from_the_archive(stores, tmp_path, caplog, fails):
    store, _ = stores
    objects = MemoryObjects()
    async with Archive(objects, tmp_path / "dead") as archive:
        async with AudioStore(tmp_path / "dead", limit=2**30, archive=archive) as audio:
            await left_open(store, audio)
        await archive.drain(10.0)
    objects.fails = "the object store does not answer in time" if fails else None
    async with Archive(objects, tmp_path / "alive") as archive:
        async with AudioStore(tmp_path / "alive", limit=2**30, archive=archive) as audio:
            adopted = await (await found(store, audio)).adopt("CA1")
            assert adopted.past.audio_lost == fails
            assert adopted.audio.end == (0 if fails else 10 * SECOND), "it is kept from now on"
    assert [record.message for record in caplog.records][:1] == ["kept audio is lost"][:fails]


async def test_a_call_does_not_wait_long_for_audio_from_elsewhere(stores, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(module, "_ELSEWHERE", 0.05)
    store, _ = stores
    await left_open(store, None, seconds=0)
    objects = MemoryObjects()
    objects.objects["CA1/audio/000000000000.ulaw"] = bytes(2 * SECOND)

    async def hang(key, to):
        to.touch()
        await asyncio.Event().wait()

    objects.fetch = hang
    async with Archive(objects, tmp_path / "alive") as archive:
        async with AudioStore(tmp_path / "alive", limit=2**30, archive=archive) as audio:
            adopted = await (await found(store, audio)).adopt("CA1")
            assert (adopted.past.audio_lost, adopted.audio.end) == (True, 0)
            assert [path.name for path in (tmp_path / "alive" / "audio").iterdir()] == []
    assert [record.reason for record in caplog.records] == ["it is elsewhere, and was not brought here in time"]


async def test_where_no_audio_is_kept_a_call_goes_on_without(stores):
    store, _ = stores
    await left_open(store, None, seconds=0)
    adopted = await (await found(store, None)).adopt("CA1")

    assert (adopted.past.audio_lost, adopted.audio) == (True, None)


async def test_a_call_whose_audio_cannot_be_kept_goes_on_without(stores, caplog):
    _, audio = stores
    audio.open("CA1")

    assert open_audio(audio, "CA1") is None
    assert [record.message for record in caplog.records] == ["audio cannot be kept"]


async def test_audio_that_never_got_to_the_disk_is_uncovered_too(stores):
    store, audio = stores
    await left_open(store, audio, seconds=0, said=((2.0, "inbound"), (7.0, "outbound")))
    file = audio.open("CA1")
    file.leap(6 * SECOND + 5)
    file.append(bytes(2 * (4 * SECOND + 1)))
    file.close()
    await audio.flush()
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.uncovered == [
        Stretch(track="inbound", from_=3.0, to=10.001),
        Stretch(track="outbound", from_=8.0, to=10.001),
    ]


async def test_audio_that_was_settled_by_finals_without_words_is_covered(stores):
    store, audio = stores
    await left_open(store, audio, seconds=0, said=())
    file = audio.open("CA1")
    for _ in range(3):
        file.append(bytes(2 * 60 * SECOND))
        await audio.flush()
    file.settle(130 * SECOND)
    await audio.flush()
    file.close()
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.audio.settled == 120 * SECOND
    assert adopted.past.uncovered == [Stretch(track=track, from_=120.0, to=180.0) for track in ("inbound", "outbound")]


async def test_a_call_that_was_left_in_order_lacks_what_its_note_says(stores):
    store, audio = stores
    await left_open(store, audio)
    lacking = [{"track": "outbound", "from": 9.0, "to": 9.5}]
    await note(audio, anchor=STARTED_AT, heard=76_000, uncovered=lacking)
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.uncovered == [Stretch(track="outbound", from_=9.0, to=9.5)]
    assert adopted.past.latest == 9.5
    assert adopted.past.silent == {}


@pytest.mark.parametrize(
    ("left", "silent"),
    [
        ({"uncovered": []}, {"inbound": 60_000, "outbound": 80_000}),  # the last second did not reach the disk
        ({}, {}),  # the track may have gone on since
    ],
)
async def test_since_when_a_track_is_silent_is_known_of_a_call_that_was_left_in_order(stores, left, silent):
    store, audio = stores
    await left_open(store, audio)
    await note(audio, silent={"inbound": 60_000, "outbound": 90_000}, **left)
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.silent == silent


async def test_what_finals_had_passed_over_before_a_crash_is_not_forgotten(stores):
    store, audio = stores
    await left_open(store, audio)
    await note(audio, anchor=STARTED_AT, heard=None, holes=[{"track": "outbound", "from": 1.0, "to": 1.5}])
    adopted = await (await found(store, audio)).adopt("CA1")

    assert adopted.past.uncovered == [
        Stretch(track="outbound", from_=1.0, to=1.5),
        Stretch(track="inbound", from_=3.0, to=10.0),
        Stretch(track="outbound", from_=5.0, to=10.0),
    ]


async def test_a_further_record_is_found_by_the_carriers_id(stores):
    store, audio = stores
    await left_open(store, audio, "CA1--2", carrier_call_id="CA1")
    recovery = await found(store, audio)

    assert (await recovery.record_of("CA1"), await recovery.record_of("CA2")) == ("CA1--2", None)


async def test_one_that_was_left_after_the_last_look_is_found_where_there_are_other_processes(stores):
    store, audio = stores
    recovery = await found(store, audio)
    await store.append([started("CA1")])
    await store.release("CA1")
    assert await recovery.record_of("CA1") is None, "where there is none, no one asks the store"
    store.lease = 10.0
    assert await recovery.record_of("CA1") == "CA1"


async def test_more_of_them_than_a_page(stores):
    store, audio = stores
    for number in range(230):
        await store.append([started(f"CA{number}")])
        await store.release(f"CA{number}")

    assert len((await found(store, audio)).left) == 230


async def test_a_digest_reads_further_than_a_page(stores):
    store, _ = stores
    await store.append([started(), *(final("CA1", seq, start=float(seq)) for seq in range(2, 452))])

    projection = await read_projection(store, "CA1")
    assert (projection.seq, projection.counters["finals"], projection.settled["inbound"]) == (451, 450, 452.0)


async def test_calls_with_an_owner_are_left_alone(stores):
    store, audio = stores
    await left_open(store, audio, "CA1")
    await store.append([started("CA2")])

    assert list((await found(store, audio)).left) == ["CA1"]


async def test_a_call_that_another_process_has_taken_is_left_to_it(stores):
    store, audio = stores
    await left_open(store, audio)
    recovery = await found(store, audio)
    await store.take("CA1")

    assert await recovery.adopt("CA1") is None
    assert recovery.left == {}
    assert audio.kept() == ["CA1"]


async def handed(stores, seconds=10.0, uncovered=(), **said):
    store, audio = stores
    await left_open(store, audio, seconds=seconds, said=())
    stretches = [{"track": track, "from": begin, "to": end} for track, begin, end in uncovered]
    await note(audio, **{"anchor": STARTED_AT, "clock": STARTED_AT + 0.25, "uncovered": stretches, **said})
    await audio.flush()
    return (await Recovery(store, audio).adopt("CA1", heard=True)).past


async def test_a_call_that_is_heard_already_goes_on_where_its_audio_ends(stores):
    past = await handed(stores, uncovered=[("inbound", 2.0, 3.0), ("inbound", 8.5, 9.25), ("inbound", 9.25, 10.04)])

    assert (past.handed.tail.start, past.handed.tail.end) == (0, 10 * SECOND)
    assert past.handed.clock == STARTED_AT + 0.25
    assert past.handed.covered == (round(8.5 * SECOND), 10 * SECOND)
    assert past.handed.uncovered == [Stretch(track="inbound", from_=2.0, to=3.0)]
    assert len(past.uncovered) == 3, "if no stream joins, all of it is transcribed later"


async def test_what_is_heard_again_has_a_bound_and_the_tail_too(stores):
    past = await handed(stores, seconds=50.0, uncovered=[("outbound", 5.0, 50.0)])

    assert past.handed.tail.start == 38 * SECOND
    assert past.handed.covered == (50 * SECOND, 20 * SECOND)
    assert past.handed.uncovered == [Stretch(track="outbound", from_=5.0, to=20.0)]


@pytest.mark.parametrize("said", [{"clock": None}, {"clock": "soon"}])
async def test_a_process_that_knew_of_no_other_leaves_what_lacks_words_to_later(stores, said):
    past = await handed(stores, uncovered=[("inbound", 8.5, 10.0)], **said)

    assert not past.handed.knew
    assert past.handed.clock == STARTED_AT
    assert past.handed.covered == (10 * SECOND, 10 * SECOND)
    assert past.handed.uncovered == past.uncovered == [Stretch(track="inbound", from_=8.5, to=10.0)]


async def test_of_a_process_that_has_crashed_the_audio_is_known_and_no_more(stores):
    store, audio = stores
    await left_open(store, audio)
    await note(audio, clock=STARTED_AT)
    await audio.flush()
    past = (await Recovery(store, audio).adopt("CA1", heard=True)).past

    assert (past.handed.knew, past.handed.tail.end) == (False, 10 * SECOND)
    assert past.handed.uncovered == past.uncovered != []


async def test_where_no_audio_was_kept_there_is_nothing_to_join(stores):
    store, audio = stores
    await left_open(store, audio, seconds=0.0)

    assert (await Recovery(store, audio).adopt("CA1", heard=True)).past.handed is None


async def test_a_call_without_a_stream_that_waits_has_nothing_to_join(stores):
    store, audio = stores
    await left_open(store, audio)

    assert (await Recovery(store, audio).adopt("CA1")).past.handed is None
