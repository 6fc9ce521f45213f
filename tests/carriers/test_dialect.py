from bridge.carriers.twilio import TWILIO


def test_a_carrier_has_a_path_of_its_own():
    assert TWILIO.path == "/media/twilio"


def test_twilio_is_never_answered_and_has_no_end_but_stop():
    dialect = TWILIO.dialect()
    dialect.receive_text('{"event":"stop"}')

    assert list(dialect.data_to_send()) == []
    assert list(dialect.receive_close(1000)) == []
