"""The file of tokens: what each gives, and what is no such file."""

import pytest

from bridge.errors import ConfigError
from bridge.rights import RIGHTS, Reader, parse, unlimited

TOKEN = "0123456789abcdef"


def table(**fields):
    given = {"name": '"crm"', "token": f'"{TOKEN}"', **fields}
    return "[[token]]\n" + "".join(f"{key} = {value}\n" for key, value in given.items() if value)


def test_a_token_gives_what_its_table_says():
    second = table(name='"wall"', token='"another-token-1234"', rights='["read"]', numbers='["+15550123", " sip:a@b "]')
    first, other = parse(table() + second)

    assert first == Reader("crm", TOKEN, frozenset(RIGHTS), ())
    assert other == Reader("wall", "another-token-1234", frozenset(("read",)), ("+15550123", "sip:a@b"))


def test_the_tokens_of_the_environment_give_everything():
    assert unlimited(["a", "b"]) == [Reader("token 1", "a"), Reader("token 2", "b")]
    assert unlimited("a")[0].rights == frozenset(RIGHTS)


def test_a_reader_with_numbers_sees_the_calls_from_and_to_them():
    crm = Reader("crm", TOKEN, numbers=("+15550123", "+15550124"))

    assert crm.sees("+15550100", "+15550123") and crm.sees("+15550124", None)
    assert not crm.sees("+15550100", "+155501234") and not crm.sees(None, None)
    assert Reader("all", TOKEN).sees(None, None)


def test_a_token_stands_in_no_text():
    assert TOKEN not in repr(parse(table()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no [[token]] table"),
        ("name = x", "is no TOML"),
        (f"token = {TOKEN}", "is no TOML"),
        ('token = "x"', "may have [[token]] tables only"),
        ('[token]\nname = "x"', "may have [[token]] tables only"),
        ('other = 1\n[[token]]\nname = "x"', "may have [[token]] tables only"),
        ("[" * 5000, "is no TOML"),
        ("a = " + "1" * 5000, "is no TOML"),
        (table(name=None), "number 1 needs a name"),
        (table() + table(name='" "'), "number 2 needs a name"),
        (table(name='"' + "x" * 65 + '"'), "number 1 needs a name"),
        (table(token='"short"'), "the token crm needs a token of at least 16"),
        (table(token='"0123456789 abcdef"'), "the token crm needs a token of at least 16"),
        (table(token="7"), "the token crm needs a token of at least 16"),
        (table(rights='["write"]'), "a right that there is not: there are read, control, delete, audit"),
        (table(rights='"read"'), "rights of the token crm must be a list of texts"),
        (table(rights="[1]"), "rights of the token crm must be a list of texts"),
        (table(numbers="[]"), "the token crm has no numbers"),
        (table(number='"+15550123"'), "has 'number': there are name, numbers, rights, token"),
        (table() + table(), "two of its tables have the same name"),
        (table() + table(name='"other"'), "two of its tables have the same token"),
    ],
)
def test_what_is_no_file_of_tokens_is_one_sentence(text, sentence):
    with pytest.raises(ConfigError) as refused:
        parse(text)

    assert sentence in str(refused.value)
    assert TOKEN not in str(refused.value)
