"""What is constructed is connected, and not open yet; the tokens that give access to the record."""

import pytest

from bridge import config
from bridge.errors import ConfigError
from bridge.parts import construct, read_tokens, readers
from bridge.rights import Reader, parse


def settings(folder, **given):
    return config.load({"DATA_DIR": str(folder)}, **given)


def test_constructing_opens_nothing(tmp_path):
    first, second = construct(settings(tmp_path)), construct(settings(tmp_path))
    assert first.store is not second.store
    assert not list(tmp_path.glob("*.db*"))


def test_all_parts_work_on_the_same_store_and_origins(tmp_path):
    parts = construct(settings(tmp_path))
    assert parts.services.store is parts.store
    assert parts.services.origins is parts.origins


def test_the_tokens_that_are_set_give_access(tmp_path):
    assert read_tokens(settings(tmp_path, bridge_read_tokens="a" * 16 + " " + "b" * 16)) == ("a" * 16, "b" * 16)
    assert not list(tmp_path.iterdir())


def test_without_any_the_record_has_a_token_of_its_own_that_stays(tmp_path):
    [token] = read_tokens(settings(tmp_path))
    assert read_tokens(settings(tmp_path)) == (token,)
    assert (tmp_path / "read-token").read_text().strip() == token


TABLE = '[[token]]\nname = "crm"\ntoken = "0123456789abcdef"\nrights = ["read"]\n'


def test_a_file_has_further_tokens(tmp_path):
    (tmp_path / "tokens.toml").write_text(TABLE)
    given = {"bridge_tokens_file": str(tmp_path / "tokens.toml"), "bridge_read_tokens": "a" * 16}

    assert readers(settings(tmp_path, **given)) == [Reader("token 1", "a" * 16), *parse(TABLE)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "it cannot be read: No such file"),
        (b"\xff", "it is no text in UTF-8"),
        (b"", "has no [[token]] table"),
        (TABLE.replace("0123456789abcdef", "a" * 16).encode(), "it has a token of BRIDGE_READ_TOKENS"),
        (TABLE.replace("crm", "token 1").encode(), "it has a name of BRIDGE_READ_TOKENS"),
    ],
)
def test_a_file_that_cannot_be_is_one_sentence(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "tokens.toml").write_bytes(content)
    given = {"bridge_tokens_file": str(tmp_path / "tokens.toml"), "bridge_read_tokens": "a" * 16}

    with pytest.raises(ConfigError, match="^BRIDGE_TOKENS_FILE: ") as refused:
        construct(settings(tmp_path, **given))
    assert sentence in str(refused.value)
