"""What is tried of an object store, and that nothing stays there."""

import pytest

from bridge.doctor.measuring.archive import try_out
from bridge.store.archive.base import ArchiveError
from tests.fakes.objects import MemoryObjects

KEY = ".bridge-doctor/x"


async def test_a_store_that_works_is_left_as_it_was():
    objects = MemoryObjects()
    tried = await try_out(objects, "x")

    assert (tried.step, tried.reason, tried.took < 60) == (None, "", True)
    assert objects.asked == [f"put {KEY}", f"read {KEY}", f"read {KEY}", "list .bridge-doctor", f"remove {KEY}"]
    assert objects.contents == {}


@pytest.mark.parametrize(
    ("operation", "step"), [("put", "written"), ("read", "read"), ("list", "listed"), ("remove", "deleted")]
)
async def test_what_it_does_not_do_is_named_and_the_object_deleted_all_the_same(operation, step):
    objects = MemoryObjects()

    async def refuse(*_):
        raise ArchiveError("the object store does not let these credentials do that")

    async def refuse_list(*_):
        await refuse()
        yield []

    setattr(objects, operation, refuse_list if operation == "list" else refuse)
    tried = await try_out(objects, "x")

    assert (tried.step, tried.reason) == (step, "the object store does not let these credentials do that")
    assert objects.contents == {} or operation == "remove"


async def test_what_is_read_must_be_what_was_written_and_what_is_there_listed():
    objects = MemoryObjects()

    async def other(key, start, octets):
        return bytes(octets)

    async def none(call_id):
        for piece in ():
            yield piece

    objects.list = none
    assert (await try_out(objects, "x")).reason == "it is not in the list"
    objects.read = other
    assert (await try_out(objects, "x")).reason == "it is not as it was written"
