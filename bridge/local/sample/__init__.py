"""The sample call: real two-channel audio, two voices, and what they say. `scripts/make_sample.py` made it."""

from pathlib import Path

CALL = Path(__file__).with_name("call.wav")
"""Mu-law, 8 kHz; the caller on the first channel, the agent on the second."""

SCRIPT = Path(__file__).with_name("script.json")
"""Its words and their times."""
