import re
import stat
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store.token import FILENAME, kept_token, own_token


def test_a_token_is_made_once_and_is_the_owners(tmp_path: Path) -> None:
    data_dir = tmp_path / "made" / "too"
    token = own_token(data_dir)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32,}", token)
    assert own_token(data_dir) == token
    assert stat.S_IMODE((data_dir / "read-token").stat().st_mode) == 0o600
    assert own_token(tmp_path / "other") != token


def test_an_empty_file_is_no_token(tmp_path: Path) -> None:
    (tmp_path / FILENAME).write_text("\n")
    assert len(own_token(tmp_path)) >= 32


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot keep a token in .*read-token"):
        own_token(tmp_path / "file")


def test_a_token_is_read_without_making_one(tmp_path: Path) -> None:
    assert kept_token(tmp_path / "data") == ""
    assert not (tmp_path / "data").exists()
    assert own_token(tmp_path) == kept_token(tmp_path)


def test_a_token_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / FILENAME).mkdir()
    with pytest.raises(StoreError, match="cannot read the token in .*read-token"):
        kept_token(tmp_path)
