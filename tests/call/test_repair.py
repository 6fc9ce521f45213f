"""A record mended from its audio, piece by piece; `ask` here reads the code in the audio, with no Deepgram between."""

import json

import pytest

from bridge.audio import CHANNELS, SAMPLE_RATE, interleave, silence
from bridge.call import pieces
from bridge.call.event_writer import EventWriter
from bridge.call.recovery import read_projection
from bridge.call.repair import Repair, TooLarge
from bridge.deepgram.batch import Transcribed
from bridge.events import CallEnded, Event, Stretch, timestamp
from bridge.local.script import decode
from bridge.recognition import Result, Word
from bridge.spans import Span
from bridge.store.audio import AudioStore
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes.running import AUDIO, SCRIPT
from tests.fakes.stereo import deinterleave
from tests.fakes.words import STARTED_AT, started
from tests.fakes.words import final as final_event

STEREO = interleave(*AUDIO)


async def ask(audio):
    """One final per channel with the words that are whole in the audio."""
    results = []
    for channel, mulaw in enumerate(deinterleave(audio)):
        heard = {}
        for group in decode(mulaw):
            heard.setdefault(group.word, []).append(group)
        words = []
        for index, groups in sorted(heard.items()):
            word = SCRIPT.words[index]
            start = groups[0].end - 8 * (groups[0].ms + 1)
            words.append(Word(word.word, word.text, Span(max(0, start), groups[-1].end), 1.0))
        if words:
            text = " ".join(word.text for word in words)
            span = Span(words[0].span.start, words[-1].span.end)
            results.append(Result(channel, span, text, 1.0, tuple(words), True, True))
    return Transcribed(tuple(results), "r1", 0)


@pytest.fixture
async def stores(tmp_path):
    async with SQLiteStore(tmp_path) as store, AudioStore(tmp_path, limit=2**30) as audio:
        yield store, audio


async def lacking(stores, *stretches, audio=STEREO, before=()):
    """A call that has ended and lacks these; its log says so after its start, and the events `before`."""
    store, files = stores
    file = files.open("CA1")
    for start in range(0, len(audio), 60 * SAMPLE_RATE * CHANNELS):
        file.append(audio[start : start + 60 * SAMPLE_RATE * CHANNELS])
        await files.flush()
    end = CallEnded(
        reason="stopped",
        duration=12.0,
        ended_at=timestamp(STARTED_AT),
        flush="timed_out",
        missing=12.0,
        uncovered=[Stretch(track=track, from_=start, to=end) for track, start, end in stretches],
        counts={},
    )
    seq = 2 + len(before)
    await store.append([started(), *before, Event("CA1", seq, f"CA1-{seq}", timestamp(STARTED_AT), end)])
    return file


async def mend(stores, file, asking=ask):
    projection = await read_projection(stores[0], "CA1")
    writer = EventWriter("CA1", stores[0], lambda: STARTED_AT, projection.seq, pause=3600.0)
    return await Repair(projection, writer, file, asking, "en", pieces.LONGEST).run()


async def events(stores, kind):
    return [json.loads(event.body)["data"] for event in await stores[0].read(Query("CA1", (kind,)), limit=1000)]


async def words(stores):
    heard = [[], []]
    for final in await events(stores, "transcript.final"):
        heard[final["channel"]] += [(word["start"], word["word"]) for word in final["words"]]
    return heard


def spoken(start=0.0, end=12.0):
    return [[(w.start, w.word) for w in words if start <= w.start and w.end <= end] for words in SCRIPT.channels]


BOTH = (("inbound", 0.0, 12.0), ("outbound", 0.0, 12.0))


async def test_every_word_comes_once_at_its_time(stores):
    file = await lacking(stores, *BOTH)

    assert await mend(stores, file)
    assert await words(stores) == spoken()
    finals = await events(stores, "transcript.final")
    assert [final["segment_id"] for final in finals] == ["CA1-inbound-b1", "CA1-outbound-b1"]
    assert {(final["source"], final["language"]) for final in finals} == {("backfill", "en")}


@pytest.mark.parametrize("anchor", [None, STARTED_AT + 3.0])
async def test_words_are_told_by_the_calls_own_clock(stores, anchor):
    """Which a live final tells, or else the call's start."""
    before = [] if anchor is None else [final_event(start=0.0, end=0.0, start_time=timestamp(anchor), text="")]
    file = await lacking(stores, *BOTH, before=before)
    await mend(stores, file)
    told = [final for final in await events(stores, "transcript.final") if final["source"] == "backfill"]

    assert [final["start_time"] for final in told] == [
        timestamp((anchor or STARTED_AT) + final["start"]) for final in told
    ]


async def test_a_stretch_of_one_millisecond_is_mended_too(stores):
    file = await lacking(stores, ("inbound", 1.0, 1.001))

    assert await mend(stores, file)
    assert (await read_projection(stores[0], "CA1")).uncovered == []


async def test_what_a_track_has_already_does_not_come_again_with_the_others_rest(stores):
    file = await lacking(stores, ("inbound", 0.0, 3.0), ("inbound", 6.0, 12.0), ("outbound", 0.0, 12.0))
    assert await mend(stores, file)
    expected = [word.word for word in SCRIPT.channels[0] if not 3.0 <= (word.start + word.end) / 2 < 6.0]

    assert [word for _, word in (await words(stores))[0]] == expected


async def test_a_long_stretch_goes_in_pieces_and_a_crash_between_them_repeats_nothing(stores, monkeypatch):
    monkeypatch.setattr(pieces, "LONGEST", 4 * SAMPLE_RATE)
    file = await lacking(stores, *BOTH)
    asked = []

    async def twice(audio):
        asked.append(len(audio) // CHANNELS / SAMPLE_RATE)
        return await ask(audio) if len(asked) < 3 else None

    assert not await mend(stores, file, twice)
    first = await words(stores)
    assert await mend(stores, file)
    done = await events(stores, "transcription.backfilled")

    assert all(seconds <= 4.0 for seconds in asked)
    assert 0 < sum(map(len, first)) < len(SCRIPT.words)
    assert [sorted(channel) for channel in await words(stores)] == spoken()
    assert [one["to"] for one in done[:-1]] == [two["from"] for two in done[1:]]
    assert (done[0]["from"], done[-1]["to"], done[-1]["waiting"]) == (0.0, 12.0, 0.0)
    ids = [final["segment_id"] for final in await events(stores, "transcript.final")]
    assert len(ids) == len(set(ids))


async def test_no_request_is_longer_than_ten_minutes(stores):
    file = await lacking(stores, ("inbound", 0.0, 601.0), audio=silence(601 * SAMPLE_RATE * CHANNELS))
    asked = []

    async def quiet(audio):
        asked.append(len(audio) / CHANNELS / SAMPLE_RATE)
        return Transcribed((), "r1", 0)

    assert await mend(stores, file, quiet)
    assert asked == [599.9, 1.1]  # cut within the silence before the limit


async def test_a_stretch_that_is_short_enough_is_asked_for_whole(stores, monkeypatch):
    monkeypatch.setattr(pieces, "LONGEST", 4 * SAMPLE_RATE)
    file = await lacking(stores, ("inbound", 0.0, 3.0), audio=silence(12 * SAMPLE_RATE * CHANNELS))
    asked = []

    async def quiet(audio):
        asked.append(len(audio) / CHANNELS / SAMPLE_RATE)
        return Transcribed((), "r1", 0)

    assert await mend(stores, file, quiet)
    assert asked == [3.0]


async def test_what_cannot_be_transcribed_is_said_aloud_once(stores):
    file = await lacking(stores, ("inbound", 2.0, 12.0))

    async def never(audio):
        return None

    assert await mend(stores, file, never) is False
    assert await mend(stores, file, never) is False
    (gap,) = await events(stores, "audio.gap")
    assert (gap["track"], gap["from"], gap["to"], gap["why"]) == ("inbound", 2.0, 12.0, "not_transcribed")


async def test_what_is_gone_from_the_disk_is_said_aloud_and_the_rest_is_transcribed(stores):
    file = await lacking(stores, *BOTH, audio=STEREO[: 4 * SAMPLE_RATE * CHANNELS])
    file.leap(8 * SAMPLE_RATE)
    file.append(STEREO[8 * SAMPLE_RATE * CHANNELS :])

    assert await mend(stores, file)
    gaps = [(gap["track"], gap["from"], gap["to"], gap["why"]) for gap in await events(stores, "audio.gap")]
    assert gaps == [("inbound", 4.0, 8.0, "overflow"), ("outbound", 4.0, 8.0, "overflow")]
    heard = await words(stores)
    for channel, early, late in zip(heard, spoken(0.0, 4.0), spoken(8.0), strict=True):
        assert set(early) | set(late) <= set(channel)
    assert (await read_projection(stores[0], "CA1")).uncovered == []


@pytest.mark.parametrize(("end", "asked"), [(6.0, [4.0]), (9.0, [4.0, 1.0])])
async def test_nothing_is_asked_for_beyond_the_end_of_a_stretch(stores, end, asked):
    file = await lacking(stores, ("inbound", 0.0, end), audio=STEREO[: 4 * SAMPLE_RATE * CHANNELS])
    file.leap(8 * SAMPLE_RATE)
    file.append(STEREO[8 * SAMPLE_RATE * CHANNELS :])
    lengths = []

    async def counting(audio):
        lengths.append(len(audio) / CHANNELS / SAMPLE_RATE)
        return await ask(audio)

    assert await mend(stores, file, counting)
    assert lengths == asked
    assert [piece["to"] for piece in await events(stores, "transcription.backfilled")] == [4.0, end]


async def test_only_what_is_to_be_transcribed_counts_as_lost_and_that_in_milliseconds(stores):
    first, second = 4 * SAMPLE_RATE + 3, 8 * SAMPLE_RATE + 5
    file = await lacking(
        stores, ("inbound", 2.0, 12.0), ("outbound", 3.0, 4.5), ("outbound", 6.0, 7.0), audio=STEREO[: first * CHANNELS]
    )
    file.leap(second)
    file.append(STEREO[second * CHANNELS :])

    assert await mend(stores, file)
    assert [(gap["track"], gap["from"], gap["to"]) for gap in await events(stores, "audio.gap")] == [
        ("inbound", 4.0, 8.001),
        ("outbound", 4.0, 4.5),
        ("outbound", 6.0, 7.0),
    ]
    done = await events(stores, "transcription.backfilled")
    assert [(piece["from"], piece["to"], piece["waiting"]) for piece in done] == [(2.0, 4.0, 8.0), (4.0, 12.0, 0.0)]


async def test_audio_that_ends_too_early_is_said_aloud_and_no_one_is_asked_for_it(stores):
    file = await lacking(stores, *BOTH, audio=STEREO[: 4 * SAMPLE_RATE * CHANNELS])
    asked = []

    async def counting(audio):
        asked.append(len(audio))
        return await ask(audio)

    assert await mend(stores, file, counting)
    assert [(gap["from"], gap["to"]) for gap in await events(stores, "audio.gap")] == [(4.0, 12.0), (4.0, 12.0)]
    assert asked == [4 * SAMPLE_RATE * CHANNELS]
    assert [piece["request_id"] for piece in await events(stores, "transcription.backfilled")] == ["r1", None]


async def test_silence_has_nothing_to_say(stores):
    file = await lacking(stores, *BOTH, audio=silence(12 * SAMPLE_RATE * CHANNELS))

    assert await mend(stores, file)
    assert await words(stores) == [[], []]
    assert len(await events(stores, "transcription.backfilled")) == 1


# Requests that are too large


class Small:
    """Takes so many octets at once, and no more."""

    def __init__(self, most):
        self.most = most
        self.asked = []

    async def __call__(self, audio):
        self.asked.append(len(audio) // CHANNELS)
        return await ask(audio) if len(audio) <= self.most else TooLarge()


async def test_a_piece_that_is_too_large_is_halved_until_it_is_taken(stores, monkeypatch):
    monkeypatch.setattr(pieces, "SHORTEST", SAMPLE_RATE)
    file = await lacking(stores, ("inbound", 0.0, 12.0), ("outbound", 0.0, 12.0))
    small = Small(4 * SAMPLE_RATE * CHANNELS)

    assert await mend(stores, file, small)
    assert small.asked[0] == 96_000
    assert 24_000 <= small.asked[1] <= 48_000, "half of it, cut in a pause"
    assert [asked for asked in small.asked if asked > 4 * SAMPLE_RATE] == small.asked[:2], "learned once"
    assert await words(stores) == spoken()
    covered = [(data["from"], data["to"]) for data in await events(stores, "transcription.backfilled")]
    assert covered[0][0] == 0.0 and covered[-1][1] == 12.0
    assert all(before[1] == after[0] for before, after in zip(covered, covered[1:], strict=False))


async def test_a_server_that_takes_nothing_is_given_up(stores):
    file = await lacking(stores, ("inbound", 0.0, 12.0))
    small = Small(0)

    assert not await mend(stores, file, small)
    assert small.asked == [96_000], "half of it would be less than the least"
    assert [data["why"] for data in await events(stores, "audio.gap")] == ["not_transcribed"]


async def test_what_is_lost_is_told_once_though_the_rest_was_too_large(stores, monkeypatch):
    monkeypatch.setattr(pieces, "SHORTEST", SAMPLE_RATE)
    file = await lacking(stores, ("inbound", 0.0, 14.0), audio=STEREO)

    assert await mend(stores, file, Small(4 * SAMPLE_RATE * CHANNELS))
    gaps = [(data["from"], data["to"]) for data in await events(stores, "audio.gap")]
    assert len(gaps) == len(set(gaps)) == 1
