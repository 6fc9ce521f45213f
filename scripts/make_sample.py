"""Makes the sample call: speaks its turns with two voices of flite's, lays them on a time line, sends them down a line.

Needs flite and sox (Debian's packages of the same names) and PocketSphinx, which finds the time of every word in the
clean speech. The same turns always give the same files.
"""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bridge import audio  # noqa: E402
from bridge.local import language, sample  # noqa: E402
from bridge.local.script import Script, ScriptWord  # noqa: E402

VOICES = ("slt", "rms")  # the caller, the agent
CALLER, AGENT = 0, 1
WIDE = 16_000  # Hz of the clean speech
LEVEL = -7  # dB of the loudest sample
NOISE = -58  # dB of the line's hiss
BAND = "sinc 300-3400"


@dataclass(frozen=True)
class Turn:
    speaker: int
    text: str
    gap: float = 0.35
    """Seconds after the end of the turn before; negative: the two talk at once."""


TURNS = (
    Turn(AGENT, "Good morning, Harbor Home Goods, Daniel speaking. How can I help you?", 0.6),
    Turn(
        CALLER,
        "Hi, this is Laura Miller. I'm calling about an order. "
        "It was supposed to arrive on Monday, and it's still not here.",
    ),
    Turn(AGENT, "I'm sorry to hear that.", -0.9),
    Turn(AGENT, "Can you give me the order number, please?", 0.9),
    Turn(CALLER, "Yes, my order number is seven four two, nine one six."),
    Turn(AGENT, "Thank you. Could you hold on for a moment, please?"),
    Turn(CALLER, "Yes.", 0.3),
    Turn(
        AGENT,
        "Thanks for waiting. I can see your order now. Your order left Chicago this morning and it is on its way.",
        2.8,
    ),
    Turn(CALLER, "Okay, great.", -0.7),
    Turn(CALLER, "When will my coffee machine be delivered?", 0.8),
    Turn(AGENT, "It will be delivered tomorrow between nine and eleven in the morning."),
    Turn(CALLER, "Okay. Thank you very much for your help, Daniel."),
    Turn(AGENT, "You're very welcome, Laura. Have a great day. Goodbye.", -0.5),
    Turn(CALLER, "Thank you. Goodbye.", 0.4),
)
TAIL = 0.8  # seconds after the last word


def sox(arguments, data=b""):
    return subprocess.run(f"sox {arguments}", shell=True, check=True, input=data, capture_output=True).stdout


def speak(turn):
    """Clean speech of a turn: 16-bit PCM at 16 kHz, silence trimmed from both ends."""
    with tempfile.TemporaryDirectory() as folder:
        wav = f"{folder}/turn.wav"
        subprocess.run(["flite", "-voice", VOICES[turn.speaker], "-t", turn.text, "-o", wav], check=True)
        trim = "silence 1 0.01 0.05% reverse silence 1 0.01 0.05% reverse"
        return sox(
            f"{wav} -t raw -e signed -b 16 -r {WIDE} -c 1 - norm {LEVEL} {trim} fade 0.01 reverse fade 0.01 reverse"
        )


def align(text, pcm):
    """(word, start, end) of every word of `text` in clean speech, in seconds."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, loglevel="FATAL")
    decoder.set_align_text(" ".join(language.spoken(text)))
    pad = bytes(WIDE // 5 * 2)
    decoder.start_utt()
    decoder.process_raw(pad + pcm + pad, full_utt=True)
    decoder.end_utt()
    found = [
        (re.sub(r"\(\d+\)$", "", segment.word), segment.start_frame / 100 - 0.2, (segment.end_frame + 1) / 100 - 0.2)
        for segment in decoder.seg()
        if segment.word[0] not in "<["
    ]
    assert [word for word, _, _ in found] == language.spoken(text), f"not aligned: {text}"
    return found


def line(pcm):
    """What a telephone line makes of it: mu-law at 8 kHz."""
    raw = f"-t raw -e signed -b 16 -r {WIDE} -c 1"
    narrow = sox(f"{raw} - -t raw -r 8000 - {BAND} rate 8000", pcm)
    hiss = sox(
        f"-R -n -t raw -e signed -b 16 -r 8000 -c 1 - synth {len(narrow) / 16000 + 0.1} pinknoise {BAND} norm {NOISE}"
    )
    return audio.pcm_to_mulaw(audio.audioop.add(narrow, hiss[: len(narrow)], 2))  # type: ignore[attr-defined]


def main():
    clean = [bytearray(), bytearray()]
    words: tuple[list[ScriptWord], list[ScriptWord]] = ([], [])
    end = 0.0
    for turn in TURNS:
        pcm = speak(turn)
        start = round(end + turn.gap, 3)
        position = int(start * WIDE) * 2
        channel = clean[turn.speaker]
        assert position >= len(channel), f"{turn.text} would begin before its speaker has finished"
        channel += bytes(position - len(channel)) + pcm
        texts = turn.text.split()
        for (word, began, ended), text in zip(align(turn.text, pcm), texts, strict=True):
            words[turn.speaker].append(
                ScriptWord(word=word, text=text, start=round(max(0.0, start + began), 3), end=round(start + ended, 3))
            )
        end = start + len(pcm) / 2 / WIDE
    samples = int((end + TAIL) * WIDE)
    lines = [line(bytes(channel) + bytes(2 * samples - len(channel))) for channel in clean]
    stereo = audio.interleave(*(channel[: samples // 2] for channel in lines))
    sample.CALL.write_bytes(audio.wav_header(len(stereo)) + stereo)
    sample.SCRIPT.write_text(Script(channels=tuple(tuple(channel) for channel in words)).to_json() + "\n", "utf-8")
    print(f"{len(stereo) / audio.STEREO_RATE:.1f} s, {sum(map(len, words))} words")


if __name__ == "__main__":
    main()
