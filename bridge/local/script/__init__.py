"""What a recording says, word by word, and recognizers that need no speech recognition to know it."""

from bridge.local.script.coding import decode, encode
from bridge.local.script.format import Script, ScriptWord, load_script
from bridge.local.script.generate import random_script
from bridge.local.script.recognizers import (
    CodedRecognizer,
    CodedRecognizers,
    TimedRecognizer,
    TimedRecognizers,
)

__all__ = [
    "CodedRecognizer",
    "CodedRecognizers",
    "Script",
    "ScriptWord",
    "TimedRecognizer",
    "TimedRecognizers",
    "decode",
    "encode",
    "load_script",
    "random_script",
]
