import pytest

from bridge.align.policy import AlignPolicy
from bridge.errors import ConfigError


@pytest.mark.parametrize("chunk_ms", [20, 60, 100])
def test_a_chunk_may_be_20_to_100_ms(chunk_ms: int) -> None:
    assert AlignPolicy(chunk_ms=chunk_ms).chunk_ms == chunk_ms


@pytest.mark.parametrize("chunk_ms", [-60, 0, 19, 101])
def test_a_chunk_of_another_length_is_refused(chunk_ms: int) -> None:
    with pytest.raises(ConfigError, match=f"20 to 100 ms of audio, not {chunk_ms}"):
        AlignPolicy(chunk_ms=chunk_ms)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerance_ms": 0},
        {"tolerance_ms": 70},
        {"hold_ms": 501},
        {"max_hold_ms": 501},
        {"idle_ms": 2000},
    ],
)
def test_times_that_contradict_each_other_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="tolerance <= hold <= longest hold <= idle < stray"):
        AlignPolicy(**wrong)


def test_the_limits_may_meet() -> None:
    AlignPolicy(tolerance_ms=60, hold_ms=60, max_hold_ms=60, idle_ms=60, stray_ms=61)
    AlignPolicy(tolerance_ms=1)


def test_a_leap_of_a_minute_is_a_hole() -> None:
    assert AlignPolicy().reset_ms == 60_000
