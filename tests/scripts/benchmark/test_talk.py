"""What is said of a call: finals cover all audio of both channels, and the webhook knows them again."""

import json

from bridge.deepgram.messages import parse
from scripts.benchmark.talk import TAG, Talk
from scripts.benchmark.wire import Unpacker


def messages(said):
    return [json.loads(payload) for _, payload, _ in Unpacker().receive(b"".join(each.data for each in said))]


def results(said):
    return [message for message in messages(said) if message["type"] == "Results"]


def test_an_interim_a_second_and_a_final_of_both_channels_every_four():
    talk = Talk(0)

    told = [
        [(each["channel_index"][0], each["is_final"], each["start"], each["duration"]) for each in results(said)]
        for said in (talk.receive(second + 1.0) for second in range(8))
    ]

    first = [[(0, False, 0.0, length)] for length in (1.0, 2.0, 3.0)]
    second = [[(1, False, 4.0, length)] for length in (1.0, 2.0, 3.0)]
    ends = [[(0, True, 0.0, 4.0), (1, True, 0.0, 4.0)], [(1, True, 4.0, 4.0), (0, True, 4.0, 4.0)]]
    assert told == [*first, ends[0], *second, ends[1]]


def test_the_silent_channel_gets_a_final_without_words():
    spoken, silent = results(Talk(3).receive(4.5))[-2:]

    assert spoken["speech_final"] and len(spoken["channel"]["alternatives"][0]["words"]) == 11
    assert not silent["speech_final"] and silent["channel"]["alternatives"][0]["words"] == []


def test_calls_are_spoken_of_at_different_moments():
    assert [bool(Talk(call).receive(1.5)) for call in (0, 8, 9)] == [True, True, False]


def test_a_second_is_spoken_of_once():
    talk = Talk(0)
    talk.receive(3.2)

    assert talk.receive(3.9) == []


def test_a_final_has_the_tag_that_it_is_told_by():
    said = Talk(42).receive(8.7)

    tagged = [each for each in said if each.tag]
    assert [each.tag for each in tagged] == [(42, 0), (42, 1)]
    assert [tuple(map(int, TAG.findall(each.data)[0])) for each in tagged] == [(42, 0), (42, 1)]
    assert not any(TAG.search(each.data) for each in said if not each.tag)


def test_the_end_covers_the_rest():
    talk = Talk(0)
    talk.receive(5.0)

    told = messages(talk.finish(5.5))

    assert [(each["channel_index"][0], each["start"], each["duration"]) for each in told[:2]] == [
        (0, 4.0, 1.5),
        (1, 4.0, 1.5),
    ]
    assert told[2]["type"] == "Metadata"


def test_the_bridge_finds_nothing_bad():
    talk = Talk(1)

    for message in messages([*talk.receive(9.0), *talk.finish(9.5)]):
        assert parse(json.dumps(message))[1:] == (0, 0)
