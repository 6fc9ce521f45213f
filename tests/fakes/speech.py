"""Finals as a recognizer would make them: of words given by hand, of a script, and of chance."""

from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.audio import SAMPLES_PER_MS, samples, silence
from bridge.events import TranscriptFinal, Word
from bridge.local.recognition import Listening
from bridge.local.script import TimedRecognizers
from bridge.recognition import Result
from bridge.spans import Span
from bridge.transcript.assembler import Assembler
from tests.fakes.words import transcript

SPEAKERS = {"inbound": "caller", "outbound": "agent"}


def span(start, end):
    """Seconds as samples."""
    return Span(samples(start), samples(end))


def segment(track, *words, kind=TranscriptFinal, **said):
    """`words` are (text, start, end); the text is theirs unless it is given."""
    known = {
        "track": track,
        "segment_id": f"{track}-{words[0][1] if words else 0}",
        "text": " ".join(text for text, _, _ in words),
        "start": words[0][1] if words else 0.0,
        "end": words[-1][2] if words else 0.0,
        "words": [
            Word(word=text.lower(), text=text, start=start, end=end, confidence=0.9) for text, start, end in words
        ],
        "final": kind is TranscriptFinal,
    }
    return kind(**transcript(**{**known, **said}))


def sentence(track, at, text, *, each=0.3, **said):
    """Words of `each` seconds one after the other."""
    words = [
        (word, round(at + place * each, 3), round(at + (place + 1) * each, 3))
        for place, word in enumerate(text.split())
    ]
    return segment(track, *words, **said)


def voiced(transcript, *voices):
    """The same, each word said by one of several on its track; None: not known."""
    words = [word.model_copy(update={"speaker": voice}) for word, voice in zip(transcript.words, voices, strict=True)]
    return transcript.model_copy(update={"words": words})


def heard(script, *, endpointing=0.3, chunk_ms=100):
    """What the assembler makes of a script that is recognized channel by channel, in the order in which it comes."""
    assembler = Assembler("CA1", SPEAKERS)
    recognizers = [TimedRecognizers(script)(channel, Listening(endpointing)) for channel in range(2)]
    chunk = silence(chunk_ms * SAMPLES_PER_MS)
    for _ in range(round(script.duration * 1000) // chunk_ms + 20):
        for recognizer in recognizers:
            for said in recognizer.receive_audio(chunk):
                assembler.receive(_in_english(said))
    for recognizer in recognizers:
        for said in recognizer.flush():
            assembler.receive(_in_english(said))
    assembler.finish()
    return assembler.events_received()


def _in_english(said):
    return replace(said, languages=("en",)) if isinstance(said, Result) else said


TEXTS = st.one_of(
    st.text("abcdefgh", min_size=1, max_size=12),
    st.text("ab.,?!&<>{}\\-/'\"é日本🙂", min_size=1, max_size=12),
    st.sampled_from(
        ["-->", "&amp;", "</v>", "<b>", "{\\an8}", "\\N", "1", "NOTE", "WEBVTT", "Yes.", "x" * 42, "y" * 200]
    ),
)
"""Words: those of every day, and those that formats trip over."""


def channels(texts=TEXTS):
    """The finals of both tracks, each track's in the order of time, with talk-over, pauses and empty ones."""
    gaps, lengths = st.sampled_from([0, 0, 10, 300, 700, 2500]), st.sampled_from([0, 50, 300, 300, 900, 9000])
    segments = st.lists(st.tuples(texts, gaps, lengths), max_size=8)
    return st.tuples(*[st.lists(segments, max_size=5)] * 2).map(_finals)


def _finals(tracks):
    finals = []
    for track, segments in zip(SPEAKERS, tracks, strict=True):
        at = 0
        for number, spoken in enumerate(segments):
            words = []
            for text, gap, length in spoken:
                words.append((text, (at + gap) / 1000, (at + gap + length) / 1000))
                at += gap + length
            said = {"segment_id": f"CA1-{track}-{number}", "speaker": SPEAKERS[track]}
            finals.append(segment(track, *words, **said) if words else segment(track, start=at / 1000, **said))
    return finals
