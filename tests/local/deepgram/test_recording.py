"""The files that keep what was heard."""

import struct
import wave

import pytest

from bridge.local.deepgram.recording import Recording
from bridge.local.deepgram.request import ListenRequest, parse_request


def request(**parameters: str) -> ListenRequest:
    parsed = parse_request(parameters.items())
    assert isinstance(parsed, ListenRequest)
    return parsed


MULAW = request(encoding="mulaw", sample_rate="8000", channels="2", multichannel="true")


def test_mulaw_is_kept_raw_and_as_wav_of_format_7(tmp_path):
    recording = Recording(tmp_path / "new", "call", MULAW)
    recording.write(b"\x01\x02" * 400)
    recording.write(b"\x03\x04" * 400)
    recording.close()
    audio = b"\x01\x02" * 400 + b"\x03\x04" * 400
    assert recording.raw.read_bytes() == audio
    wav = recording.path.read_bytes()
    assert wav[:4] + wav[8:16] == b"RIFFWAVEfmt "
    assert struct.unpack("<HHIIHH", wav[20:36]) == (7, 2, 8000, 16000, 2, 8)
    assert struct.unpack("<I", wav[4:8])[0] == len(wav) - 8
    assert wav.endswith(b"data" + struct.pack("<I", 1600) + audio)


@pytest.mark.parametrize("parameters", [{}, {"encoding": "opus", "sample_rate": "48000"}])
def test_what_is_a_file_already_is_kept_as_it_came(tmp_path, parameters):
    recording = Recording(tmp_path, "call", request(**parameters))
    recording.write(b"OggS")
    recording.close()
    assert recording.path == recording.raw
    assert recording.raw.read_bytes() == b"OggS"
    assert recording.wav is None


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_linear16_is_kept_as_pcm_at_its_rate(tmp_path, rate):
    recording = Recording(tmp_path, "call", request(encoding="linear16", sample_rate=str(rate)))
    recording.write(b"\x01\x00" * 500)
    recording.close()
    with wave.open(str(recording.path)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (rate, 1, 2)
        assert wav.readframes(1000) == b"\x01\x00" * 500


def test_an_odd_number_of_octets_is_padded(tmp_path):
    recording = Recording(tmp_path, "call", request(encoding="mulaw", sample_rate="8000"))
    recording.write(b"abc")
    recording.close()
    wav = recording.path.read_bytes()
    assert len(wav) % 2 == 0
    assert struct.unpack("<I", wav[4:8])[0] == len(wav) - 8


def test_without_an_encoding_only_the_octets_are_kept(tmp_path):
    recording = Recording(tmp_path, "call", request())
    recording.write(b"OggS")
    recording.close()
    assert [path.name for path in tmp_path.iterdir()] == ["call.raw"]
    assert recording.path.read_bytes() == b"OggS"


def test_closing_twice_does_no_harm(tmp_path):
    recording = Recording(tmp_path, "call", MULAW)
    recording.close()
    recording.close()


@pytest.mark.parametrize("full", ["raw", "wav"])
def test_a_disk_that_is_full_is_said_once_and_ends_nothing(tmp_path, caplog, full):
    (tmp_path / f"call.{full}").symlink_to("/dev/full")
    recording = Recording(tmp_path, "call", MULAW)
    for _ in range(3):
        recording.write(bytes(20_000))
    recording.close()
    recording.close()
    assert [log.reason for log in caplog.records] == ["No space left on device"]
