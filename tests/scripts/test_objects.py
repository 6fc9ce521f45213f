"""Where the object stores are that the archive is tried with, and what is said where one cannot be installed."""

import pytest

from scripts import objects


@pytest.mark.parametrize("package", [objects.S3, objects.AZURE])
def test_another_version_gets_another_folder(package, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert objects.folder(package).is_relative_to(tmp_path)
    assert objects.folder(package) != objects.folder(f"{package}.1")
    assert objects.folder(objects.S3) != objects.folder(objects.AZURE)


@pytest.mark.parametrize("package, server", [(objects.S3, objects.s3_server), (objects.AZURE, objects.azure_server)])
def test_it_is_used_once_it_is_installed(package, server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    assert server() is None
    objects.folder(package).mkdir(parents=True)
    (objects.folder(package) / "made").touch()

    assert any(str(objects.folder(package)) in word for word in server())
    assert objects.make(package) is None


def test_without_node_there_is_no_azure(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda program: None)

    assert objects.make(objects.AZURE) == "there is no npm here"
    objects.folder(objects.AZURE).mkdir(parents=True)
    (objects.folder(objects.AZURE) / "made").touch()
    assert objects.azure_server() is None
