"""What an installer does and says, and what is done once."""

from scripts import installing


def test_what_an_installer_says_last_is_the_reason():
    assert installing.run(["sh", "-c", "echo first >&2; echo 'no such package' >&2; exit 3"]) == "no such package"
    assert installing.run(["sh", "-c", "exit 3"]) == "sh exited with 3"
    assert installing.run(["true"]) is None


def test_steps_end_at_the_first_that_fails_and_are_taken_again(tmp_path):
    place, mark = tmp_path / "place", tmp_path / "mark"
    assert installing.make(place, ["sh", "-c", "exit 3"], ["touch", str(mark)]) == "sh exited with 3"
    assert not installing.is_made(place) and not mark.exists()

    assert installing.make(place, ["touch", str(mark)]) is None
    assert installing.is_made(place) and mark.exists()
    assert installing.make(place, ["sh", "-c", "exit 3"]) is None, "it is not done twice"
