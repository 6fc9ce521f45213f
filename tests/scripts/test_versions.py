"""Constraints for pip: the lowest versions that are allowed, and the newest on every Python."""

import tomllib

import pytest

from scripts.versions import ROOT, lock, lowest

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_lowest_of_a_range_with_its_marker():
    assert list(lowest(["one>=1.2", "two[extra]>= 7.14,<8", "a.b_c>=3; python_version >= '3.13'"])) == [
        "one==1.2",
        "two==7.14",
        "a.b_c==3; python_version >= '3.13'",
    ]


@pytest.mark.parametrize("requirement", ["one", "one<2"])
def test_a_requirement_without_a_lower_bound_that_is_understood(requirement):
    with pytest.raises(ValueError, match="has no lower bound"):
        list(lowest([requirement]))


@pytest.mark.parametrize("name", ["local", "test"])
def test_every_requirement_of_ours_has_one(name):
    requirements = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][name]]

    assert len(list(lowest(requirements))) == len(requirements)


def test_a_lock_tells_pythons_apart_only_where_they_differ():
    resolved = {"3.11": {"one": "1", "two": "2"}, "3.12": {"two": "3", "one": "1"}, "3.13": {"two": "3", "ours": "4"}}

    assert list(lock(resolved)) == [
        "one==1",
        "ours==4",
        "two==2; python_version == '3.11'",
        "two==3; python_version == '3.12' or python_version == '3.13'",
    ]


def test_the_lock_has_all_that_we_name_and_no_registry():
    text = (ROOT / "requirements-dev.lock").read_text()
    locked = {line.partition("==")[0] for line in text.splitlines()}
    ours = [constraint.partition("==")[0] for constraint in lowest(PROJECT["dependencies"])]

    assert set(ours) <= locked
    assert "/" not in text and "@" not in text
