"""A few inputs of every border; `./scripts/fuzz` tries as many as it is told to."""

from random import Random

import pytest

from tests.fuzz.borders import BORDERS


@pytest.mark.parametrize("name", BORDERS)
def test_whatever_comes_nothing_is_raised_or_lost_unsaid(name):
    for number in range(300):
        BORDERS[name](Random(f"{name} {number}"))
