"""Coded audio: every millisecond can be told from the octets alone, whatever happened to them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio import mulaw_to_pcm, pcm_to_mulaw, silence
from bridge.errors import ConfigError
from bridge.local.script import Script, ScriptWord, decode, encode, random_script
from bridge.local.script.coding import LONGEST_WORD_MS, MOST_WORDS, Group, GroupReader, encode_word

SCRIPT = random_script(5, 8)
LEFT, RIGHT = encode(SCRIPT, 8.0)


def true_groups() -> list[Group]:
    """Every millisecond of the left channel as it ought to be read."""
    return [
        Group((word.start_ms + ms + 1) * 8, index, ms)
        for index, word in enumerate(SCRIPT.channels[0])
        for ms in range(word.length_ms)
    ]


def test_each_channel_is_as_long_as_asked():
    assert [len(channel) for channel in encode(SCRIPT, 8.0)] == [64000, 64000]
    assert [len(channel) for channel in encode(SCRIPT, 3.0)] == [24000, 24000]
    assert len(encode(SCRIPT)[0]) == round(SCRIPT.duration * 8000)


def test_every_millisecond_is_read_where_it_was_written():
    assert decode(LEFT) == true_groups()


def test_channels_count_their_words_together_so_crossed_channels_show():
    assert decode(RIGHT)[0].word == len(SCRIPT.channels[0])


def test_pauses_are_silence_and_words_hold_none():
    word = SCRIPT.channels[0][0]
    assert LEFT[: word.start_ms * 8] == silence(word.start_ms * 8)
    assert 0xFF not in LEFT[word.start_ms * 8 : word.end_ms * 8]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_it_does_not_matter_how_the_audio_is_cut(sizes):
    reader, found, at = GroupReader(), [], 0
    for size in sizes:
        found += reader.feed(LEFT[at : at + size])
        at += size
    found += reader.feed(LEFT[at:])
    assert found == true_groups()


def test_byte_by_byte():
    reader = GroupReader()
    found = [group for octet in LEFT for group in reader.feed(bytes([octet]))]
    assert found == true_groups()


@pytest.mark.parametrize("offset", range(16))
def test_it_is_read_at_any_octet_offset(offset):
    """A replay may begin anywhere."""
    start = SCRIPT.channels[0][0].start_ms * 8 + 800 + offset
    expected = [(end - start, word, ms) for end, word, ms in true_groups() if end - 8 >= start]
    assert decode(LEFT[start:]) == expected


def test_a_hole_is_a_hole_and_nothing_more():
    start = SCRIPT.channels[0][0].start_ms * 8 + 400
    holed = LEFT[:start] + silence(160) + LEFT[start + 160 :]
    lost = [group for group in true_groups() if start < group.end <= start + 160]
    assert len(lost) == 20
    assert decode(holed) == [group for group in true_groups() if group not in lost]


def test_a_splice_of_two_groups_is_not_taken_for_a_third():
    """Any octets may be missing: what is read is never a millisecond that is not there."""
    chance = random.Random(2)
    names = {(word, ms) for _, word, ms in true_groups()}
    cut = bytearray(LEFT)
    for _ in range(400):
        at = chance.randrange(len(cut))
        del cut[at : at + chance.randrange(1, 30)]
    found = decode(bytes(cut))
    assert len(found) > 100
    assert {(word, ms) for _, word, ms in found} <= names
    assert [(word, ms) for _, word, ms in found] == sorted((word, ms) for _, word, ms in found)


def test_noise_says_nothing():
    noise = random.Random(1).randbytes(80_000)
    assert len(decode(noise)) <= 1


def test_it_survives_being_turned_into_pcm_and_back():
    assert pcm_to_mulaw(mulaw_to_pcm(LEFT)) == LEFT
    everything = encode_word(MOST_WORDS - 1, 2000)
    assert pcm_to_mulaw(mulaw_to_pcm(everything)) == everything


def test_the_largest_numbers_fit():
    groups = decode(encode_word(MOST_WORDS - 1, LONGEST_WORD_MS))
    assert (groups[-1].word, groups[-1].ms) == (MOST_WORDS - 1, LONGEST_WORD_MS - 1)
    assert len(groups) == LONGEST_WORD_MS


def test_a_word_that_is_too_long_is_refused():
    script = Script(channels=((ScriptWord(word="aaah", start=0, end=17),),))
    with pytest.raises(ConfigError, match="words of at most 16129 ms, 'aaah' is longer"):
        encode(script)
