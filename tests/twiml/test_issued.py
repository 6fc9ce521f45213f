from twiml.issued import IssuedTokens


def test_a_call_that_was_given_a_token_is_known():
    tokens = IssuedTokens()
    tokens.note("CA1")

    assert tokens.issued("CA1")
    assert not tokens.issued("CA2")


def test_of_too_many_the_oldest_go():
    tokens = IssuedTokens(most=2)
    for call in ("CA1", "CA2", "CA1", "CA3"):
        tokens.note(call)

    assert [tokens.issued(call) for call in ("CA1", "CA2", "CA3")] == [True, False, True]
