"""Faults as values: to whom they apply, and which cannot be asked for."""

import pytest

from bridge.errors import ConfigError
from bridge.local.deepgram.faults import NO_FAULTS, Faults


def test_faults_of_the_first_connections_only():
    faults = Faults(refuse=503, first=2)
    assert [faults.of_connection(index) for index in range(4)] == [faults, faults, NO_FAULTS, NO_FAULTS]


def test_faults_of_every_connection():
    faults = Faults(delay=1.0)
    assert faults.of_connection(1000) is faults


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 503])
def test_statuses_that_deepgram_refuses_with(status):
    assert Faults(refuse=status).refuse == status


def test_another_status_is_a_mistake():
    with pytest.raises(ConfigError, match="refuse must be one of 400, 401, 402, 403, 429, 503, not 418"):
        Faults(refuse=418)
