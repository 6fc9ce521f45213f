"""A few requests; `./scripts/fuzz routes` tries as many as it is told to."""

from tests.fuzz.routes import tried


async def test_whatever_is_asked_for_is_no_fault_of_the_bridge():
    assert await tried(1, 300) == []
