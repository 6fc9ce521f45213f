"""What is to be typed where an extra is missing."""

import json
import shlex
from importlib import metadata

import pytest

from bridge.installing import with_extra


class Installed(metadata.Distribution):
    """As pip has written it down."""

    def __init__(self, source):
        self.source = source

    def read_text(self, filename):
        return json.dumps(self.source) if filename == "direct_url.json" and self.source else None

    def locate_file(self, path):
        return path


@pytest.mark.parametrize(
    ("source", "typed"),
    [
        ({"url": "file:///home/ann/bridge", "dir_info": {}}, ["/home/ann/bridge[local]"]),
        ({"url": "file:///home/ann/bridge", "dir_info": {"editable": True}}, ["-e", "/home/ann/bridge[local]"]),
        ({"url": "file:///home/ann/ann%27s%20bridge", "dir_info": {}}, ["/home/ann/ann's bridge[local]"]),
        ({"url": "file:///tmp/bridge-1.whl", "archive_info": {}}, ["/tmp/bridge-1.whl[local]"]),
        (
            {"url": "https://git.example/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            ["media-stream-bridge[local] @ git+https://git.example/a.git@abc"],
        ),
        (
            {"url": "https://files.example/bridge-1.whl", "archive_info": {}},
            ["media-stream-bridge[local] @ https://files.example/bridge-1.whl"],
        ),
        (None, ["media-stream-bridge[local]"]),  # from an index
    ],
)
def test_it_is_installed_from_where_it_was(monkeypatch, source, typed):
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed(source))

    assert shlex.split(with_extra("local")) == ["pip", "install", *typed]


def test_a_bridge_that_is_run_from_its_folder_is_installed_from_there(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)

    assert with_extra("stream") == "pip install '.[stream]'"
