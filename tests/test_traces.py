"""Without an SDK nothing is traced."""

from bridge.traces import NO_TRACES


def test_what_is_not_traced_tells_no_peer_of_it():
    span = NO_TRACES.begin("webhook POST", "CA1", {"bridge.attempts": 1}, asks=True)
    span.note({"http.response.status_code": 204})
    span.end()
    NO_TRACES.call("CA1", 0.0, {})

    assert span.traceparent is None
    assert NO_TRACES.parent("CA1") is None
