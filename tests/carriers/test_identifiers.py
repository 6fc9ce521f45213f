import pytest

from bridge.carriers.identifiers import first_identifier, identifier, safe_identifier
from bridge.errors import RemoteProtocolError


def test_an_id_that_is_safe_stays_as_it_is():
    assert identifier("CA1_x-2") == safe_identifier("CA1_x-2") == "CA1_x-2"


@pytest.mark.parametrize("value", ["", "a b", "a/b", "x" * 65, None, 7])
def test_no_other_becomes_ours(value):
    with pytest.raises(RemoteProtocolError):
        identifier(value)


def test_the_first_that_is_an_id_is_taken():
    assert first_identifier(None, "a b", "CA1", "CA2") == "CA1"
    with pytest.raises(RemoteProtocolError):
        first_identifier(None, {})


@pytest.mark.parametrize(("value", "safe"), [("v3:Md_I-9", "v3-Md_I-9"), ("../x", "---x"), ("x" * 64, "x" * 64)])
def test_a_carriers_other_characters_become_dashes(value, safe):
    assert safe_identifier(value) == safe


def test_long_ids_stay_apart():
    one, other = safe_identifier("x" * 65), safe_identifier("x" * 66)

    assert one != other
    assert identifier(one) and identifier(other)


@pytest.mark.parametrize("value", ["", None, 7, {}])
def test_what_is_no_id_is_refused(value):
    with pytest.raises(RemoteProtocolError):
        safe_identifier(value)
