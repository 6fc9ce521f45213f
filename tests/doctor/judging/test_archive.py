"""The object store, by what became of an object that was to try it."""

import pytest

from bridge.doctor.finding import Mark
from bridge.doctor.judging.archive import Tried, archive


@pytest.mark.parametrize(
    ("tried", "mark", "said", "remedy"),
    [
        (Tried(0.2), Mark.FINE, "written, read, read in part, listed and deleted in 0.20 s", None),
        (Tried(9.0), Mark.DOUBT, "in 9.00 s", "nearer"),
        (
            Tried(0.1, "deleted", "the object store does not let these credentials do that"),
            Mark.BROKEN,
            "an object cannot be deleted: the object store does not let",
            "DeleteObject",
        ),
        (
            Tried(0.1, "written", "the object store does not know these credentials"),
            Mark.BROKEN,
            "cannot be written: the object store does not know",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            Tried(0.1, "written", "there is no such object, or no such bucket"),
            Mark.BROKEN,
            "cannot be written",
            "make the bucket",
        ),
        (
            Tried(0.1, "written", "the object store cannot be reached, or fails"),
            Mark.BROKEN,
            "cannot be written",
            "AWS_ENDPOINT_URL",
        ),
    ],
)
def test_what_is_told_of_it(tried, mark, said, remedy):
    finding = archive(tried)

    assert (finding.check, finding.mark, said in finding.said) == ("archive", mark, True)
    assert finding.remedy is remedy is None or remedy in finding.remedy
