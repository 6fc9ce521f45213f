import struct
import wave
from pathlib import Path

import pytest

from bridge.audio import (
    WAVE_FORMAT_MULAW,
    WAVE_FORMAT_PCM,
    interleave,
    mulaw_to_pcm,
    pcm_to_mulaw,
    wav_header,
)
from bridge.errors import ConfigError
from bridge.local.wav import Recording, load_recording, parse_wav, read_wav

LEFT = bytes(range(128, 228))
RIGHT = bytes(range(20, 120))
SILENT = b"\xff"


def mulaw_wav(*channels: bytes) -> bytes:
    audio = interleave(*channels) if len(channels) == 2 else channels[0]
    return wav_header(len(audio), channels=len(channels)) + audio


def pcm_wav(path: Path, *channels: bytes, rate: int = 8000) -> Path:
    """Written by the standard library; `channels` are mu-law."""
    samples = [struct.unpack(f"<{len(channel)}h", mulaw_to_pcm(channel)) for channel in channels]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack(f"<{len(channels)}h", *frame) for frame in zip(*samples, strict=True)))
    return path


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def layout(tag: int = WAVE_FORMAT_MULAW, channels: int = 1, rate: int = 8000, bits: int = 8) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


def test_mulaw_is_read_octet_for_octet() -> None:
    assert parse_wav(mulaw_wav(LEFT)) == (LEFT,)
    assert parse_wav(mulaw_wav(LEFT, RIGHT)) == (LEFT, RIGHT)


def test_pcm_becomes_mulaw(tmp_path: Path) -> None:
    assert read_wav(pcm_wav(tmp_path / "one.wav", LEFT)) == (LEFT,)
    assert read_wav(pcm_wav(tmp_path / "two.wav", LEFT, RIGHT)) == (LEFT, RIGHT)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 6_000])
def test_any_rate_becomes_8000(tmp_path: Path, rate: int) -> None:
    tone = pcm_to_mulaw(struct.pack("<h", 5000) * rate)

    (channel,) = read_wav(pcm_wav(tmp_path / "tone.wav", tone, rate=rate))

    assert len(channel) == pytest.approx(8000, abs=2)
    assert channel[100:-100] == tone[:1] * (len(channel) - 200)


def test_mulaw_at_another_rate_is_resampled() -> None:
    (channel,) = parse_wav(riff((b"fmt ", layout(rate=16_000)), (b"data", b"\x90" * 1600)))

    assert len(channel) == pytest.approx(800, abs=1)
    assert set(channel[10:]) == {0x90}


def test_the_extensible_format_is_what_its_subformat_says() -> None:
    extension = struct.pack("<HHI", 22, 16, 0) + struct.pack("<H", WAVE_FORMAT_PCM) + bytes(14)
    data = riff((b"fmt ", layout(0xFFFE, bits=16) + extension), (b"data", mulaw_to_pcm(LEFT)))

    assert parse_wav(data) == (LEFT,)


def test_other_chunks_are_passed_over() -> None:
    data = riff((b"LIST", b"abc"), (b"fmt ", layout() + b"\0\0"), (b"fact", bytes(4)), (b"data", LEFT), (b"x", b""))

    assert parse_wav(data) == (LEFT,)


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 5000])
def test_a_length_that_was_never_filled_in_means_the_rest_of_the_file(claimed: int) -> None:
    data = bytearray(mulaw_wav(LEFT))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", claimed)

    assert parse_wav(bytes(data)) == (LEFT,)


def test_a_sample_that_is_cut_off_is_dropped() -> None:
    pcm = mulaw_to_pcm(LEFT)
    data = riff((b"fmt ", layout(WAVE_FORMAT_PCM, channels=2, bits=16)), (b"data", pcm[:-1]))

    left, right = parse_wav(data)

    assert len(left) == len(right) == 49


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a WAV file"),
        (b"ID3\x04 an mp3 file", "not a WAV file"),
        (b"RIFF\x10\0\0\0AVI LIST", "not a WAV file"),
        (riff(), "no audio"),
        (riff((b"fmt ", layout())), "no audio"),
        (riff((b"data", LEFT)), "before the format"),
        (riff((b"fmt ", b"\7\0"), (b"data", LEFT)), "cut off"),
        (riff((b"fmt ", layout(3, bits=32)), (b"data", LEFT)), "format 3 of 32 bits"),
        (riff((b"fmt ", layout(WAVE_FORMAT_PCM, bits=8)), (b"data", LEFT)), "format 1 of 8 bits"),
        (riff((b"fmt ", layout(channels=0)), (b"data", LEFT)), "0 channels"),
        (riff((b"fmt ", layout(rate=0)), (b"data", LEFT)), "at 0 Hz"),
    ],
)
def test_another_kind_of_file_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_wav(data)


def test_a_refusal_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"ID3")

    with pytest.raises(ConfigError, match=r"song\.mp3 is no recording to play: it is not a WAV file\."):
        read_wav(tmp_path / "song.mp3")
    with pytest.raises(ConfigError, match=r"none\.wav cannot be read: No such file"):
        read_wav(tmp_path / "none.wav")


def test_a_two_channel_file_is_a_call(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(mulaw_wav(LEFT, RIGHT))

    recording = load_recording(tmp_path / "call.wav")

    assert recording == Recording(LEFT, RIGHT)
    assert recording.seconds == 100 / 8000


def test_two_mono_files_are_a_call_and_the_shorter_is_padded(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(mulaw_wav(LEFT))
    (tmp_path / "b.wav").write_bytes(mulaw_wav(RIGHT[:60]))

    assert load_recording(tmp_path / "a.wav", str(tmp_path / "b.wav")) == (LEFT, RIGHT[:60] + SILENT * 40)
    assert load_recording(tmp_path / "b.wav", tmp_path / "a.wav") == (RIGHT[:60] + SILENT * 40, LEFT)


def test_one_mono_file_is_one_party(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(mulaw_wav(LEFT))

    assert load_recording(tmp_path / "a.wav") == Recording(LEFT, b"")


def test_what_is_no_call_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mono.wav").write_bytes(mulaw_wav(LEFT))
    (tmp_path / "stereo.wav").write_bytes(mulaw_wav(LEFT, RIGHT))
    (tmp_path / "three.wav").write_bytes(riff((b"fmt ", layout(channels=3)), (b"data", LEFT)))

    with pytest.raises(ConfigError, match=r"three\.wav has 3 channels; a call has one or two"):
        load_recording(tmp_path / "three.wav")
    with pytest.raises(ConfigError, match=r"stereo\.wav has 2 channels; of two files each must have one"):
        load_recording(tmp_path / "mono.wav", tmp_path / "stereo.wav")
    with pytest.raises(ConfigError, match="one recording or two, not 0"):
        load_recording()
    with pytest.raises(ConfigError, match="one recording or two, not 3"):
        load_recording(*[tmp_path / "mono.wav"] * 3)
