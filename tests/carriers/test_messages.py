import pytest

from bridge.carriers.messages import Digit
from bridge.errors import RemoteProtocolError


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_a_key_of_a_telephone_is_a_digit(key):
    assert Digit("inbound", key).digit == key


@pytest.mark.parametrize("digit", ["", "55", "x", "\x00", "{'a': 1}", "None", "٣"])
def test_what_is_no_key_is_no_digit(digit):
    with pytest.raises(RemoteProtocolError, match="no key"):
        Digit("inbound", digit)
