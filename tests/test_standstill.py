"""When a process must have stood still."""

from bridge.standstill import READING, STOOD_STILL, stood_still


def test_a_busy_process_is_late_too_but_not_so_late():
    assert not stood_still(10.0, 10.0)
    assert not stood_still(10.0 + STOOD_STILL, 10.0)
    assert stood_still(10.01 + STOOD_STILL, 10.0)
    assert READING < STOOD_STILL, "else what was put off would be late again"
