"""Where the programs that check the files for hosts are, and what is said where one cannot be installed."""

from scripts import hosts


def test_other_versions_get_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = hosts.folder()
    monkeypatch.setattr(hosts, "PACKAGES", ("twine==1.0",))

    assert before.is_relative_to(tmp_path) and before != hosts.folder()


def test_a_linter_is_used_once_all_of_them_are_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    own = hosts.folder() / "bin" / "a-linter"
    own.parent.mkdir(parents=True)
    own.touch(0o755)

    assert hosts.program("a-linter") is None
    (hosts.folder() / "made").touch()
    assert hosts.program("a-linter") == str(own)
    assert hosts.make_environment() is None


def test_without_the_right_to_install_a_reason_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(hosts.SYSTEM, "a-proxy", "a-proxy")

    assert hosts.install("a-proxy") == "it is not here, and only root on Debian can install it"
