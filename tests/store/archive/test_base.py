"""What an object is called says which call it is of, and nothing else of it."""

import pytest

from bridge.store.archive.base import Found, recording_name


def test_a_key_begins_with_its_call():
    found = Found("CA1/audio/000000000000.ulaw", 1600)

    assert (found.call_id, found.name) == ("CA1", "audio/000000000000.ulaw")


def test_what_is_of_no_call_is_told_from_what_is():
    assert Found("recording-1.wav", 1).name == ""
    assert Found("recording-1.wav", 1).ended is None


@pytest.mark.parametrize(("ended", "name"), [(1795946538.4, "recording-1795946538.wav"), (-5.0, "recording-0.wav")])
def test_a_recording_says_when_its_call_ended(ended, name):
    assert recording_name(ended) == name
    assert Found(f"CA1/{name}", 1).ended == max(0, round(ended))


def test_of_processes_that_share_a_record_none_writes_over_anothers_recording():
    names = {recording_name(1795946538.4, owner) for owner in ("", "one", "two")}
    assert len(names) == 3
    assert {Found(f"CA1/{name}", 1).ended for name in names} == {1795946538.0}
    assert recording_name(1.0, "one") == recording_name(1.0, "one")


@pytest.mark.parametrize(
    "name",
    ["recording.wav", "recording-x.wav", "recording-1.wav.part", "audio/recording-1.wav", "recording-1-0.wav"],
)
def test_what_is_no_recording(name):
    assert Found(f"CA1/{name}", 1).ended is None
