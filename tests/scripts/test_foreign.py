"""Where environments of foreign clients are, and what is said where one cannot be made."""

from scripts import foreign


def test_another_version_gets_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = foreign.folder("sdk4")
    monkeypatch.setitem(foreign.PYTHON, "sdk4", ("deepgram-sdk==4.9.0",))
    assert before.is_relative_to(tmp_path)
    assert before != foreign.folder("sdk4")
    assert not foreign.is_made("sdk4")


def test_without_npm_a_reason_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert foreign.make("js5") == "there is no npm here"
    assert not foreign.is_made("js5")


def test_what_is_made_is_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    foreign.folder("js5").mkdir(parents=True)
    (foreign.folder("js5") / "made").touch()
    assert foreign.make("js5") is None


def test_the_examples_have_a_turn_of_their_own(monkeypatch):
    made = []
    monkeypatch.setattr(foreign, "make", made.append)
    foreign.main("examples")
    assert sorted(made) == sorted(foreign.EXAMPLES)
    made.clear()
    foreign.main()
    assert made and not set(made) & set(foreign.EXAMPLES)
