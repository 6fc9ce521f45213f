"""What of the archive's affairs is on this disk."""

from pathlib import Path

from bridge.store.archive.folders import files, folders, make_empty


def test_only_what_is_kept_audio_counts(tmp_path: Path) -> None:
    for name, content in {
        "000000000000.ulaw": b"ab",
        "call.json": b"{}",
        "call.json.new": b"",
        "000000000008.x": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    assert files(tmp_path) == {"000000000000.ulaw": 2, "call.json": 2}
    assert files(tmp_path / "none") == {}


def test_folders_that_are_named_like_calls(tmp_path: Path) -> None:
    for name in ("CA2", "CA1", ".CA3", "a b"):
        (tmp_path / name).mkdir()
    (tmp_path / "CA4").touch()
    assert folders(tmp_path) == ["CA1", "CA2"]
    assert folders(tmp_path / "none") == []


def test_what_was_in_it_goes(tmp_path: Path) -> None:
    folder = tmp_path / "CA1"
    for _ in range(2):
        make_empty(folder)
        assert list(folder.iterdir()) == []
        (folder / "file").touch()
