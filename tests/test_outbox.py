"""How much goes into a batch, and the header that every delivery of a call carries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError
from bridge.outbox import Batching, batch_end, call_header
from tests.fakes import words


def test_a_batch_is_as_much_as_fits() -> None:
    limits = Batching(max_events=3, max_octets=100)
    assert batch_end(7, [], limits) == 7
    assert batch_end(7, [(8, 10)], limits) == 8
    assert batch_end(7, [(8, 10), (9, 10), (10, 10), (11, 10)], limits) == 10
    assert batch_end(7, [(8, 60), (9, 60)], limits) == 8
    assert batch_end(7, [(8, 500), (9, 1)], limits) == 8, "larger than a batch: alone"
    assert batch_end(7, [(8, 49), (9, 49)], limits) == 9, "with the comma, exactly 100"
    assert batch_end(7, [(8, 49), (9, 50)], limits) == 8, "with the comma, one too many"


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 5), st.integers(1, 120))
def test_a_batch_is_never_empty_and_never_too_large(sizes: list[int], events: int, octets: int) -> None:
    end = batch_end(0, enumerate(sizes, 1), Batching(events, octets))
    assert 1 <= end <= events
    assert end == 1 or sum(size + 1 for size in sizes[:end]) <= octets


def test_a_header_is_what_the_first_event_says_of_the_call() -> None:
    assert json.loads(call_header(words.started())) == {
        "id": "CA1",
        "carrier": "twilio",
        "carrier_call_id": "CA1",
        "continues": None,
        "from": "+15550001",
        "to": "+15550002",
        "direction": "inbound",
        "speakers": {"inbound": "caller", "outbound": "agent"},
        "started_at": "2027-01-15T08:00:00.000Z",
        "parameters": {"team": "süd"},
    }


def test_a_header_is_made_of_the_first_event_only() -> None:
    with pytest.raises(LocalProtocolError, match="begins with call.started"):
        call_header(words.final())
