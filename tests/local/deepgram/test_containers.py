"""Files and packets, decoded as they come: recognized by themselves, cut anywhere, broken anywhere."""

import importlib.util
import math
import random
import threading
from array import array

import pytest

from bridge.audio import mulaw_to_pcm, pcm_to_mulaw, rms, silence
from bridge.local.deepgram import containers
from bridge.local.deepgram.containers import (
    ContainerDecoder,
    OpusDecoder,
    TooLong,
    decode_file,
    decoder,
    missing,
)
from bridge.local.deepgram.decoder import SampleDecoder, Undecodable
from bridge.local.deepgram.request import ListenRequest, Refusal, parse_request
from tests.fakes.encoding import FILES, encode, frames, packets

SECONDS = 1.5
TONE = pcm_to_mulaw(
    array("h", [round(9000 * math.sin(2 * math.pi * 440 * at / 8000)) for at in range(round(SECONDS * 8000))]).tobytes()
)
QUIET = silence(len(TONE))
KINDS = [kind for kind in FILES if kind != "amr"]
"""Those that have two channels."""


def request(**parameters: str) -> ListenRequest:
    parsed = parse_request(parameters.items())
    assert isinstance(parsed, ListenRequest), parsed
    return parsed


def decode(data: bytes, size: int = 700, **parameters: str) -> list[bytes]:
    """Everything that comes out, the file cut into pieces."""
    hearing = decoder(request(**parameters))
    pieces = [hearing.feed(data[at : at + size]) for at in range(0, len(data), size)]
    found = [piece for piece in [*pieces, hearing.end()] if piece]
    hearing.close()
    assert hearing.channels == len(found[0])
    channels = [b"".join(piece[channel] for piece in found) for channel in range(hearing.channels)]
    assert hearing.duration == len(channels[0]) / 8000
    return channels


def loudness(mulaw: bytes) -> int:
    return rms(mulaw_to_pcm(mulaw))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("multichannel", ["true", "false"])
def test_a_file_says_itself_what_it_is(kind, multichannel):
    channels = decode(encode(kind, TONE, QUIET), multichannel=multichannel)

    assert len(channels) == (2 if multichannel == "true" else 1)
    assert all(len(channel) == pytest.approx(len(TONE), abs=1500) for channel in channels)
    if multichannel == "true":
        assert loudness(channels[0]) == pytest.approx(loudness(TONE), rel=0.15)
        assert loudness(channels[1]) < 50
    else:
        assert loudness(channels[0]) == pytest.approx(loudness(TONE) / 2, rel=0.45)


@pytest.mark.parametrize("kind", FILES)
def test_one_channel(kind):
    (channel,) = decode(encode(kind, TONE))

    assert loudness(channel) == pytest.approx(loudness(TONE), rel=0.25)


@pytest.mark.parametrize(
    ("encoding", "rate", "kind"),
    [("flac", "16000", "flac"), ("ogg-opus", "48000", "ogg"), ("opus", "48000", "ogg")],
)
def test_encodings_that_have_a_header(encoding, rate, kind):
    (channel,) = decode(encode(kind, TONE), encoding=encoding, sample_rate=rate)

    assert loudness(channel) == pytest.approx(loudness(TONE), rel=0.25)


@pytest.mark.skipif("amr" not in FILES, reason="this FFmpeg cannot write AMR")
@pytest.mark.parametrize("header", [0, 6])
def test_amr_with_its_header_and_without(header):
    file = encode("amr", TONE)
    assert file.startswith(b"#!AMR\n")
    (channel,) = decode(file[header:], encoding="amr-nb", sample_rate="8000")

    assert loudness(channel) == pytest.approx(loudness(TONE), rel=0.25)


@pytest.mark.parametrize("multichannel", ["true", "false"])
def test_opus_packets_one_a_message(multichannel):
    hearing = decoder(request(encoding="opus", sample_rate="48000", channels="2", multichannel=multichannel))
    assert isinstance(hearing, OpusDecoder)
    found = [hearing.feed(packet) for packet in [*packets(TONE, QUIET)[:20], b"\xff", b"", *packets(TONE, QUIET)[20:]]]
    found.append(hearing.end())
    hearing.close()
    channel = b"".join(piece[0] for piece in found if piece)

    assert hearing.channels == (2 if multichannel == "true" else 1)
    assert hearing.broken == 1
    assert len(channel) == pytest.approx(len(TONE), abs=400)
    assert hearing.duration == len(channel) / 8000
    assert loudness(channel) == pytest.approx(loudness(TONE) / (1 if multichannel == "true" else 2), rel=0.45)


@pytest.mark.parametrize("kind", ["mp3", "ogg", "webm", "flac", "aac"])
def test_the_size_of_the_pieces_changes_nothing(kind):
    file = encode(kind, TONE)

    assert decode(file, 97) == decode(file, 5000) == decode(file, len(file))


@pytest.mark.parametrize("kind", ["mp3", "webm", "aac"])
def test_it_is_heard_while_it_comes(kind):
    file = encode(kind, TONE)
    hearing = ContainerDecoder(request())
    heard = [bool((pieces := hearing.feed(file[at : at + 500])) and pieces[0]) for at in range(0, len(file), 500)]
    hearing.close()

    assert heard.index(True) < len(heard) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_as_long_as_it_says(kind):
    channels = decode_file(request(multichannel="true"), encode(kind, TONE, QUIET), len(TONE) + 2000)

    assert [len(channel) for channel in channels] == pytest.approx([len(TONE)] * 2, abs=1500)


def test_a_file_that_holds_more_than_is_taken():
    with pytest.raises(TooLong):
        decode_file(request(), encode("flac", QUIET), 4000)


@pytest.mark.parametrize(
    "data", [b"x", b"no audio at all" * 1000, bytes(100_000), b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"]
)
def test_what_is_no_audio(data):
    hearing = ContainerDecoder(request())
    with pytest.raises(Undecodable):
        for at in range(0, len(data), 4096):
            hearing.feed(data[at : at + 4096])
        hearing.end()
    with pytest.raises(Undecodable):
        decode_file(request(), data, 8000)


def test_opus_packets_that_are_none():
    with pytest.raises(Undecodable):
        OpusDecoder(request(encoding="opus", sample_rate="48000")).feed(b"\xff\xff")


def test_nothing_at_all_is_no_fault():
    hearing = ContainerDecoder(request())

    assert hearing.end() == []
    assert (hearing.channels, hearing.duration) == (0, 0)


@pytest.mark.parametrize("kind", ["mp3", "flac", "aac", "ogg"])
def test_a_file_that_is_broken_somewhere_costs_that_place(kind):
    file = bytearray(encode(kind, TONE))
    middle = len(file) // 2
    file[middle : middle + 60] = random.Random(1).randbytes(60)
    (channel,) = decode(bytes(file))

    assert len(channel) > len(TONE) / 3


def test_what_is_broken_is_counted():
    file = bytearray(encode("mp3", TONE))
    hearing = ContainerDecoder(request())
    hearing.feed(file[: len(file) // 2])
    file[len(file) // 2 :] = random.Random(1).randbytes(len(file) - len(file) // 2)
    hearing.feed(file[len(file) // 2 :])
    hearing.end()
    hearing.close()

    assert hearing.broken > 0


def test_a_stream_may_change_its_rate_and_channels():
    shaped = containers._Shaped(request(), 1)
    found = [shaped.mulaw(frame) for frame in frames((TONE,), 16_000)]
    found += [shaped.mulaw(frame) for frame in frames((TONE, QUIET), 44_100)]
    found.append(shaped.mulaw(None))

    assert len(b"".join(found)) == pytest.approx(2 * len(TONE), abs=400)


def test_a_file_that_breaks_off_is_heard_up_to_there():
    file = encode("webm", TONE)
    (channel,) = decode(file[: len(file) // 2])

    assert len(TONE) / 4 < len(channel) < len(TONE)


def test_little_that_is_much_is_none(monkeypatch):
    monkeypatch.setattr(containers, "_MOST", 4000)
    hearing = ContainerDecoder(request())
    with pytest.raises(Undecodable):
        hearing.feed(encode("flac", QUIET))
        hearing.end()


@pytest.mark.parametrize("tagged", [100, 100_000])
def test_titles_and_pictures_come_first(tagged):
    file = encode("mp3", TONE)
    if file.startswith(b"ID3"):
        file = file[10 + sum(octet << shift for octet, shift in zip(file[6:10], (21, 14, 7, 0), strict=True)) :]
    size = bytes((tagged >> shift) & 127 for shift in (21, 14, 7, 0))
    (channel,) = decode(b"ID3\x04\0\0" + size + bytes(tagged) + file, 5000)

    assert loudness(channel) == pytest.approx(loudness(TONE), rel=0.25)


def test_what_follows_a_file_is_not_kept():
    file = encode("flac", TONE)
    hearing = ContainerDecoder(request())
    hearing.feed(file)
    hearing.end()

    assert hearing.feed(b"more") == [b""]
    assert hearing.broken == 1
    assert not hearing._given


def test_its_thread_ends_with_it():
    before = threading.active_count()
    hearing = ContainerDecoder(request())
    hearing.feed(encode("mp3", TONE)[:3000])
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "decoder"]
    hearing.close()
    hearing.close()
    thread.join(2)

    assert threading.active_count() == before


def test_samples_need_no_library():
    assert isinstance(decoder(request(encoding="mulaw", sample_rate="8000")), SampleDecoder)


def test_without_the_library_the_extra_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "av" else find(name))

    assert missing(request(encoding="alaw", sample_rate="8000")) is None
    for parameters, what in (({}, "audio without encoding"), ({"encoding": "opus", "sample_rate": "48000"}, "opus")):
        assert missing(request(**parameters)) == Refusal(
            400,
            "Bad Request",
            f"Bad Request: this local server needs PyAV to decode {what}: install the bridge with its extra stream.",
        )


def test_with_it_nothing_is_missing():
    assert missing(request()) is None


@pytest.mark.parametrize(("at", "octets"), [(20, b"\x34\x12"), (24, b"\x01\0\0\0"), (24, b"\0\0\0\x20")])
def test_a_header_that_lies_is_no_audio(at, octets):
    whole = encode("wav", TONE, QUIET)
    with pytest.raises(Undecodable):
        decode_file(request(), whole[:at] + octets + whole[at + len(octets) :], 8000 * 60)
