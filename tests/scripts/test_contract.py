"""Where the tools of the contract are, and what is said where they cannot be installed."""

import pytest

from scripts import contract


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No cache and no programs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))


def test_other_versions_get_another_folder(tmp_path):
    assert contract.folder("node", ["a@1"]).is_relative_to(tmp_path)
    assert contract.folder("node", ["a@1"]) != contract.folder("node", ["a@2"])


def test_without_npm_a_reason_is_given():
    assert contract.install("node", contract.NODE) == "there is no npm here"


def test_what_is_installed_is_not_installed_again():
    place = contract.folder("node", contract.NODE)
    place.mkdir(parents=True)
    (place / "made").touch()

    assert contract.install("node", contract.NODE) is None
