"""Where the S3 server is that the archive is tried with, and what is said where it cannot be installed."""

from scripts import objects


def test_another_version_gets_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = objects.folder()
    monkeypatch.setattr(objects, "PACKAGE", "moto[server]==1.0")

    assert before.is_relative_to(tmp_path) and before != objects.folder()


def test_it_is_used_once_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert objects.interpreter() is None
    objects.folder().mkdir(parents=True)
    (objects.folder() / "made").touch()

    assert objects.interpreter() == objects.folder() / "bin" / "python"
    assert objects.make_environment() is None
