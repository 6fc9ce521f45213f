"""Counters in words, from the first scrape on."""

from collections import Counter

from bridge.web.counted import COUNTED, count_from_zero, described


def test_what_is_known_to_be_counted_begins_at_zero_and_loses_nothing():
    counters = {"requests": Counter(), "backfill": Counter(done=3, odd=1), "unheard_of": Counter()}
    count_from_zero(counters)

    assert counters["requests"].keys() == {"refused"}
    assert dict(counters["backfill"]) == {"done": 3, "odd": 1, "given_up": 0, "refused": 0}
    assert not counters["unheard_of"]


def test_every_counter_has_words():
    assert described("requests", "refused") == COUNTED["requests"]["refused"]
    assert described("ended_calls", "late_frames") == "ended calls, since the start: late frames"
