"""What sockets were and said, for the record."""

import json

from bridge.deepgram.extras import Model
from bridge.deepgram.journal import Journal, Request
from bridge.deepgram.messages import Metadata
from bridge.recognition import Result
from tests.deepgram.test_messages import RESULTS

MODEL = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}


def results(model):
    return json.dumps({**RESULTS, "metadata": {"request_id": "r", "model_info": model}})


def test_each_socket_has_its_request_and_the_model_of_its_first_result():
    journal = Journal()
    journal.connected("r1", 0)
    (first,) = journal.read(results(MODEL))
    assert isinstance(first, Result)
    journal.read(results({**MODEL, "name": "another"}))
    journal.connected("r2", 8000)
    journal.read('{"type":"Metadata"}')
    journal.connected(None, 16_000)
    journal.read(results(None))
    journal.read(results(MODEL))

    model = Model("general-nova-3", "2025-04-17.21547")
    assert journal.requests == [
        Request("r1", 0, model, True),
        Request("r2", 8000, None, False),
        Request(None, 16_000, None, True),
    ]


def test_what_cannot_be_read_is_counted():
    journal = Journal()
    assert journal.read("no JSON") == ()
    assert journal.read('{"type":"Metadata"}') == (Metadata(),)
    journal.read(json.dumps({**RESULTS, "speech_final": "yes"}))
    odd = {"word": "hello", "start": 1.6, "end": -1, "confidence": 0.9}
    journal.read(json.dumps({**RESULTS, "channel": {"alternatives": [{"transcript": "hello", "words": [odd]}]}}))

    assert (journal.messages, journal.bad_messages, journal.bad_words) == (3, 2, 1)
    assert journal.counts == {"deepgram_sockets": 0, "deepgram_bad_messages": 2, "deepgram_bad_words": 1}
    assert repr(journal) == "<Journal sockets 0 messages 3 bad 2>"
