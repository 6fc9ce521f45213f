"""A record of very many calls that have ended, written in the store's own statements as fast as SQLite takes them.

Half of the calls are held in one invented language and half in another, so that two very common words need not meet.
In each the words are as unequal as people's: the r-th comes 1/(r + 2) as often as the first would (Zipf, Mandelbrot).
No commits are measured here, so nothing waits for the disk.
"""

import random
from functools import cache
from itertools import accumulate, product

from bridge.events import CallEnded, CallStarted, Event, Figures, TranscriptFinal, timestamp
from bridge.outbox import call_header
from bridge.store import sql
from bridge.store.files import Files
from bridge.store.sqlite import FILENAME

VOCABULARY = 20_000
STRETCH = 500_000
FINALS = 20
RARE = "quetzal"
RARE_CALLS = 7
"""Calls in which the rare word is said, spread over the record."""

BEGAN = 1_780_000_000.0  # seconds since 1970
APART = 30.0  # seconds between the beginnings of two calls
GROUP = 1000  # calls in a commit

_CONSONANTS = ("bdfghjk", "lmnprtz")
_SYLLABLES = tuple(["".join(pair) for pair in product(consonants, "aiou")] for consonants in _CONSONANTS)


def word(language, rank):
    """The word of this rank, from 0, in language 0 or 1; two syllables or more."""
    syllables = _SYLLABLES[language]
    said, rest = syllables[rank % 28], rank // 28
    while rest or len(said) < 4:
        said, rest = said + syllables[rest % 28], rest // 28
    return said


def party(index):
    """Who makes the index-th call."""
    return f"+1555{index % 10_000:07d}"


class Talk:
    """What is said, by chance: sentences are cut out of a long stretch of words, which is drawn once."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        weights = list(accumulate(1 / (rank + 2) for rank in range(VOCABULARY)))
        ranks = self._random.choices(range(VOCABULARY), cum_weights=weights, k=STRETCH + 12)
        vocabularies = [[word(language, rank) for rank in range(VOCABULARY)] for language in (0, 1)]
        self._words = [[vocabulary[rank] for rank in ranks] for vocabulary in vocabularies]

    def sentence(self, language):
        first, count = self._random.randrange(STRETCH), self._random.randrange(2, 13)
        return self._words[language][first : first + count]

    def call_id(self):
        return f"CA{self._random.getrandbits(128):032x}"


def fill(folder, calls, seed=1):
    """Write the calls and say which there are, the oldest first."""
    files, talk, ids = Files(folder / FILENAME, 10.0), Talk(seed), []
    connection = files.writing
    for pragma in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -400000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    rare = {calls * (2 * place + 1) // (2 * RARE_CALLS) for place in range(RARE_CALLS)}
    try:
        for first in range(0, calls, GROUP):
            connection.execute("BEGIN IMMEDIATE")
            for index in range(first, min(first + GROUP, calls)):
                ids.append(talk.call_id())
                _write(connection, ids[-1], index, talk, index in rare)
            connection.execute("COMMIT")
    finally:
        files.close()
    return ids


def final(call_id, seq, words):
    """JSON of a final and its text. When each word was said does not matter here."""
    text, start = " ".join(words), seq * 4.0
    said = ",".join(map(_spoken, words))
    return _FINALS[seq % 2] % (seq, call_id, seq, call_id, seq, start, start + 3.0, text, said), text


@cache
def _spoken(bare):
    return f'{{"word":"{bare}","text":"{bare}","start":10.18,"end":10.4,"confidence":0.99}}'


def _write(connection, call_id, index, talk, rare):
    began = BEGAN + index * APART
    started = call_started(call_id, party(index), began)
    ended = _ended(call_id, began)
    finals = []
    for seq in range(2, FINALS + 2):
        words = talk.sentence(index % 2)
        if rare and seq == 12:
            words[len(words) // 2] = RARE
        finals.append((seq, *final(call_id, seq, words)))
    begun = {"id": call_id, "header": call_header(started), "started_at": began, "owner": None}
    number = connection.execute(sql.BEGIN_CALL, begun).lastrowid
    rows = [(call_id, 1, started.type, started.to_json())]
    rows += [(call_id, seq, TranscriptFinal.type, body) for seq, body, _ in finals]
    rows.append((call_id, ended.seq, ended.type, ended.to_json()))
    connection.executemany(sql.INSERT_EVENT, rows)
    connection.executemany(sql.INSERT_SPEECH, [(number, seq, text) for seq, _, text in finals])
    raised = {"call_id": call_id, "tip": ended.seq, "ended_at": began + 90.0, "ended_seq": ended.seq}
    connection.execute(sql.RAISE_TIP, raised)


def call_started(call_id, caller, began):
    """The first event of a call."""
    data = CallStarted(
        carrier="twilio",
        carrier_call_id=call_id,
        stream_id="MZ18ad3ab5a668481ce02b83e7395059f0",
        from_=caller,
        to="+15550123",
        direction="inbound",
        speakers={"inbound": "caller", "outbound": "callee"},
        tracks=["inbound", "outbound"],
        media_format={"encoding": "audio/x-mulaw", "sample_rate": 8000, "channels": 1},
        parameters={},
        started_at=timestamp(began),
    )
    return Event(call_id, 1, f"{call_id}-1", timestamp(began), data)


def _ended(call_id, began):
    seq, both = FINALS + 2, {"caller": 40.0, "callee": 40.0}
    figures = Figures(
        talk_time=both,
        words={"caller": 100, "callee": 100},
        words_per_minute=both,
        talk_over=1.0,
        longest_silence=3.0,
        response_time=both,
    )
    data = CallEnded(
        reason="stopped",
        duration=90.0,
        ended_at=timestamp(began + 90.0),
        flush="complete",
        missing=0.0,
        counts={"finals": FINALS},
        figures=figures,
    )
    return Event(call_id, seq, f"{call_id}-{seq}", timestamp(began + 90.0), data)


def _final_template(track):
    """An event's own JSON with places to fill in: two million models would take minutes."""
    data = TranscriptFinal(
        segment_id="%s-" + track + "-%d",
        revision=3,
        final=True,
        track=track,
        channel=int(track == "outbound"),
        speaker="caller" if track == "inbound" else "callee",
        start=111.0,
        end=222.0,
        start_time=timestamp(BEGAN),
        end_time=timestamp(BEGAN),
        text="%s",
        confidence=0.98,
        words=[],
        language="en",
    )
    body = Event("", 333, "%s-%d", timestamp(BEGAN), data).to_json()
    for place, filled in (("333", "%d"), ("111.0", "%.2f"), ("222.0", "%.2f"), ("[]", "[%s]")):
        body = body.replace(place, filled, 1)
    return body


_FINALS = (_final_template("inbound"), _final_template("outbound"))
