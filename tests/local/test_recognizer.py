"""Recognition from real sound. What a test hears is a call's audio, and nothing else tells it the words."""

import importlib.util
import shlex
import shutil
import subprocess
import sys

import pytest

from bridge import audio
from bridge.audio import seconds
from bridge.local import language, sample
from bridge.local.recognition import Listening
from bridge.local.recognizer import SphinxRecognizer, available
from bridge.local.script import load_script
from bridge.local.wav import load_recording
from bridge.recognition import Result, SpeechStart
from tests.fakes.wer import word_error_rate

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None, reason="PocketSphinx has no wheel for this Python"
)

SCRIPT = load_script(sample.SCRIPT)
RECORDING = load_recording(sample.CALL)

CALLS = (
    (
        ("slt", "My laptop was delivered on Tuesday, but the screen is broken."),
        ("rms", "I am sorry about that. Would you like a new one or your money back?"),
        ("slt", "I would like my money back, please."),
    ),
    (
        ("rms", "Lake View Hotel, this is Thomas. How may I help you tonight?"),
        ("slt", "I need a room for two nights in August."),
        ("rms", "We have one for ninety dollars a night. Is that all right?"),
    ),
    (
        ("awb", "Hello, can I speak to somebody about my bill for March?"),
        ("slt", "Yes, but I need the number of your account first."),
        ("awb", "It is five eight one, three three nine."),
    ),
)
"""Calls of the model's own words, in sentences it has never seen."""


def listen(mulaw, chunk=480, **listening):
    recognizer = SphinxRecognizer(0, Listening(**listening))
    heard = []
    for start in range(0, len(mulaw), chunk):
        heard += recognizer.receive_audio(mulaw[start : start + chunk])
    return heard + list(recognizer.flush())


def finals(heard):
    return [event for event in heard if isinstance(event, Result) and event.is_final]


def words(heard):
    return [word.word for final in finals(heard) for word in final.words]


@pytest.fixture(scope="module")
def heard():
    """Both channels of the sample call."""
    return [listen(channel) for channel in RECORDING]


@pytest.mark.parametrize("channel", [0, 1])
def test_the_sample_call_is_understood(heard, channel):
    spoken = [word.word for word in SCRIPT.channels[channel]]

    assert word_error_rate(spoken, words(heard[channel])) <= 0.15


@pytest.mark.parametrize("channel", [0, 1])
def test_words_lie_where_they_were_spoken(heard, channel):
    said = {}
    for word in SCRIPT.channels[channel]:
        said.setdefault(word.word, []).append(word.start)
    errors = sorted(
        min(abs(seconds(word.span.start) - start) for start in said[word.word])
        for final in finals(heard[channel])
        for word in final.words
        if word.word in said
    )

    assert errors[int(0.9 * len(errors))] <= 0.3


@pytest.mark.parametrize("channel", [0, 1])
def test_results_cover_the_call_without_a_hole(heard, channel):
    settled = 0
    for event in heard[channel]:
        if isinstance(event, SpeechStart):
            continue
        assert event.span.start == settled
        assert event.span.end >= event.span.start
        if event.is_final:
            settled = event.span.end

    assert settled == pytest.approx(len(RECORDING[channel]), abs=168)


def test_speech_is_noticed_and_interims_come_before_finals(heard):
    kinds = [type(event).__name__ + str(getattr(event, "is_final", "")) for event in heard[1]]

    assert kinds[:3] == ["SpeechStart", "ResultFalse", "ResultFalse"]
    began = next(event for event in heard[1] if isinstance(event, SpeechStart))
    assert seconds(began.at) == pytest.approx(SCRIPT.channels[1][0].start, abs=0.3)


def test_the_text_is_written_as_sentences(heard):
    texts = [[word.text for word in final.words] for final in finals(heard[1]) if final.words]

    assert " ".join(texts[0]) == "Good morning, Harbor Home Goods, Daniel speaking. How can I help you?"
    assert texts[1][-1] == "that."


@pytest.mark.parametrize("chunk", [160, 799])
def test_the_size_of_the_chunks_changes_nothing(heard, chunk):
    audio_ = RECORDING[1][: 8000 * 6]

    assert words(listen(audio_, chunk)) == words(listen(audio_, 480))


def test_silence_is_settled_every_few_seconds_without_a_word():
    found = listen(audio.silence(8000 * 12))

    assert [final.words for final in found] == [()] * len(found)
    assert len(found) == 3
    assert found[-1].span.end == 12 * 8000


def test_deepgrams_default_endpointing_gives_the_same_text(heard):
    # Until a breath into the first sentence but one.
    known = [final for final in finals(heard[0]) if final.span.end <= 12 * 8000]
    short = finals(listen(RECORDING[0][: 12 * 8000], endpointing=0.01, interim_results=False))

    assert [final.text for final in short[: len(known)]] == [final.text for final in known]
    assert sum(len(final.words) for final in known) > 15


def test_further_alternatives_are_those_of_the_decoder():
    first, *_ = finals(listen(RECORDING[1][: 8000 * 5], interim_results=False, alternatives=3))

    assert len(first.alternatives) == 2
    assert len({first.text.lower(), *(other.text for other in first.alternatives)}) == 3
    assert first.confidence > first.alternatives[0].confidence >= first.alternatives[1].confidence > 0
    assert all(other.text.startswith("good morning") for other in first.alternatives)


def test_no_pause_ends_an_utterance_where_endpointing_is_off(heard):
    found = finals(listen(RECORDING[1][: 8000 * 8], endpointing=None))

    assert not any(final.ends_turn for final in found)


def test_interims_can_be_switched_off():
    found = listen(RECORDING[1][: 8000 * 6], interim_results=False)

    assert all(event.is_final for event in found if isinstance(event, Result))


def test_flushing_settles_what_was_said_so_far():
    recognizer = SphinxRecognizer(1, Listening())
    recognizer.receive_audio(RECORDING[1][: 8000 * 3])
    (final,) = recognizer.flush()

    assert final.is_final
    assert [word.word for word in final.words][:2] == ["good", "morning"]
    assert recognizer.flush() == []


def test_it_can_run_here():
    assert available() is None


def test_a_python_without_pocketsphinx_is_told_in_one_line():
    program = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'pocketsphinx' else find(name)\n"
        "from bridge.local.recognizer import available\n"
        "print(available())\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert said.startswith("PocketSphinx is not installed")
    assert said.count("\n") == 1


def synthesize(voice, text, folder):
    """A turn as it comes down a telephone line, a pause after it."""
    wav = folder / "turn.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)
    line = f"sox {wav} -t raw -e signed -b 16 -r 8000 -c 1 - sinc 300-3400 rate 8000 norm -7"
    pcm = subprocess.run(shlex.split(line), check=True, capture_output=True).stdout
    return audio.silence(2400) + audio.pcm_to_mulaw(pcm) + audio.silence(6400)


@pytest.mark.skipif(
    not (shutil.which("flite") and shutil.which("sox")), reason="no flite and sox here to speak calls nobody has heard"
)
@pytest.mark.parametrize("call", CALLS, ids=["laptop", "hotel", "bill"])
def test_new_sentences_of_known_words_are_understood(call, tmp_path):
    known = {tuple(language.spoken(sentence)) for turn in language.turns() for sentence in language.sentences(turn)}
    spoken, heard = [], []
    for voice in dict.fromkeys(voice for voice, _ in call):  # a channel each
        texts = [text for speaker, text in call if speaker == voice]
        spoken += [word for text in texts for word in language.spoken(text)]
        heard += words(listen(b"".join(synthesize(voice, text, tmp_path) for text in texts)))
    said = {tuple(language.spoken(sentence)) for _, text in call for sentence in language.sentences(text)}

    assert not {sentence for sentence in said if len(sentence) > 4} & known
    assert set(spoken) <= {word for sentence in known for word in sentence}
    assert word_error_rate(spoken, heard) <= 0.25
