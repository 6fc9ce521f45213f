"""How a stream arrives: what another process has said of it is held against it."""

import pytest

from bridge.web.arriving import Arrival, StreamRefused
from tests.fakes.calls import started


def test_a_stream_is_of_the_call_that_it_was_relayed_as():
    Arrival().check(started("CA1"))
    Arrival(call_id="CA1").check(started("CA1"))
    with pytest.raises(StreamRefused, match="another call") as refused:
        Arrival(call_id="CA2").check(started("CA1"))
    assert refused.value.call_id == "CA1"
