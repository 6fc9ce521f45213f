import time

from bridge.clock import SystemClock


def test_it_is_the_machines():
    clock = SystemClock()
    before, now, after = time.monotonic(), clock.now(), time.monotonic()
    then, wall, later = time.time(), clock.wall(), time.time()

    assert before <= now <= after
    assert then <= wall <= later
