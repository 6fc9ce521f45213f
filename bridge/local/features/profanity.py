"""Profanity, and asterisks for it.

Source: https://developers.deepgram.com/docs/profanity-filter
"""

import re

from msgspec.structs import replace

from bridge.local.features.phrases import Words, bare, mark

MASK = "****"

_PROFANE = re.compile(
    r"(mother)?fuck\w*|(bull|horse)?shit(s|ty|ting|head)?|bitch(es|y|ing)?|bastards?|(ass|arse)(hole)?s?|cunts?|"
    r"dick(s|head)?|piss(ed|ing)?|(god)?damn(ed|it)?|wank(er|ers|ing)?|bollocks|cocksuckers?|whores?|sluts?|twats?"
)


def masked(words: Words) -> Words:
    """The words with asterisks in place of profane ones."""
    return tuple(
        replace(word, word=MASK, text=MASK + mark(word)) if _PROFANE.fullmatch(bare(word)) else word for word in words
    )
