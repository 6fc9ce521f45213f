"""The script format: which words a recording holds, on which channel, from when to when.

    {"channels": [[{"word": "hello", "text": "Hello.", "start": 0.5, "end": 0.9}, …], …]}

A word may also tell its `voice`, a number within its channel, its `language`, and, as `instead`, what else may have
been heard. Times are seconds of the recording. A script is what a recognizer ought to hear; it knows nothing of audio.
"""

from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bridge.errors import ConfigError


class ScriptWord(BaseModel):
    """One word that is said."""

    model_config = ConfigDict(frozen=True)

    word: str = Field(min_length=1)
    """Bare: lower case, no punctuation."""
    text: str = ""
    """As it is written in the sentence; without it, as `word`."""
    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(allow_inf_nan=False)
    voice: int | None = Field(default=None, ge=0)
    """Number of a voice within its channel."""
    language: str | None = None
    """BCP 47 tag."""
    instead: str | None = None
    """What may have been heard instead, as it is written."""

    @model_validator(mode="before")
    @classmethod
    def _text_defaults_to_word(cls, values: object) -> object:
        if isinstance(values, dict) and not values.get("text") and isinstance(values.get("word"), str):
            return {**values, "text": values["word"]}
        return values

    @cached_property
    def start_ms(self) -> int:
        return round(self.start * 1000)

    @cached_property
    def end_ms(self) -> int:
        return round(self.end * 1000)

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


class Script(BaseModel):
    """The words of every channel, each channel in order of time and without overlaps of its own."""

    model_config = ConfigDict(frozen=True)

    channels: tuple[tuple[ScriptWord, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _words_follow_each_other(self) -> Self:
        for channel, words in enumerate(self.channels):
            for place, word in enumerate(words):
                if word.end_ms <= word.start_ms:
                    raise ValueError(f"channels[{channel}][{place}] ({word.word!r}) ends before it has begun")
            for place, (one, other) in enumerate(pairwise(words)):
                if other.start_ms < one.end_ms:
                    raise ValueError(
                        f"channels[{channel}][{place + 1}] ({other.word!r}) starts at {other.start} s, "
                        f"before {one.word!r} ends at {one.end} s"
                    )
        return self

    @cached_property
    def words(self) -> tuple[ScriptWord, ...]:
        """All words, channel after channel: a word's place here is its index in coded audio."""
        return tuple(word for channel in self.channels for word in channel)

    @property
    def duration(self) -> float:
        """Seconds to the end of the last word."""
        return max((channel[-1].end for channel in self.channels if channel), default=0.0)

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "the script") -> Self:
        """Read a script; a ConfigError names `source`, and the place in it that is wrong."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(f"{source}: {_first(error)}") from None

    def to_json(self) -> str:
        return self.model_dump_json(indent=1, exclude_none=True)


def load_script(path: Path | str) -> Script:
    """Read a script file; a ConfigError says what is wrong with it."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return Script.from_json(text, str(path))


def _first(error: ValidationError) -> str:
    """The first complaint as one sentence with its place, and how many more there are."""
    complaints = error.errors(include_url=False, include_input=False)
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in complaints[0]["loc"])
    message = complaints[0]["msg"].removeprefix("Value error, ")
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return f"{place.lstrip('.')}: {message}{more}" if place else f"{message}{more}"
