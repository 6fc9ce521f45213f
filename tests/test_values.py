import pytest

from bridge import values


@pytest.mark.parametrize(
    "around",
    ["{}\n", "  {} ", "{}\r\n", '"{}"', "'{}'", "{}\u00a0", "\ufeff{}", '\t"{}"\n', '" {} "', "{}\u200b", "{}\udca0"],
)
def test_what_a_file_or_a_page_brings_along_is_trimmed(around):
    assert values.trimmed(around.format("a1b2")) == "a1b2"


@pytest.mark.parametrize("text", ["", " ", '""', '"a" and "b"', "it's", '"'])
def test_quotes_that_are_not_around_the_whole_stay(text):
    assert values.trimmed(text) == text.strip().replace('""', "")


@pytest.mark.parametrize(
    "text",
    [
        "${DEEPGRAM_API_KEY}",
        "$(cat key)",
        "$KEY",
        "{{ key }}",
        "<your key>",
        "https://${HOST}/x",
        "$HOME/data",
        "YOUR_DEEPGRAM_API_KEY",
        "changeme",
        "…",
        "...",
    ],
)
def test_a_placeholder_is_no_value(text):
    with pytest.raises(ValueError, match="placeholder"):
        values.filled_in(text)


@pytest.mark.parametrize("text", ["a$b", "$ecret-and-long", "your word", "$1.50 each", "{a}", "a<b>c", "pa$(", "5 > 3"])
def test_signs_alone_make_no_placeholder(text):
    assert values.filled_in(text) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *((values.secrets, f"a1{between}b2") for between in ("\u00a0", "\u2026", "\udca0", "\x1b", "\u200b")),
        (values.secrets, ""),
        (values.secrets, '"a1" "b2"'),
        (values.secrets, "a1 \u201cb2\u201d"),
        (values.passwords, "ann"),
        (values.passwords, "ann:"),
        (values.passwords, "ann:pass ben"),
        (values.passwords, "ann:pa\u00a0ss"),
        (values.word, "a b"),
        (values.one_line, "a\nb"),
        (values.sentence, "a\x1b[31mb"),
        (values.account, "SK1"),
        (values.account, "AC1/../x"),
        (values.long_enough, "a" * 16 + " short"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_the_value(form, text):
    with pytest.raises(ValueError, match="must") as caught:
        form(text)
    assert not text or text not in str(caught.value)
    assert caught.value.__cause__ is None


def test_several_secrets_have_one_blank_between_them():
    assert values.secrets("a1 \n b2\t\r\nc'3") == "a1 b2 c'3"
    assert values.passwords("ann:p\u00e4ss\nben:x:y") == "ann:p\u00e4ss ben:x:y"


def test_text_for_people_is_one_line_in_any_script():
    assert (
        values.sentence("Bonjour\u00a0!\n \u3053\u3093\u306b\u3061\u306f") == "Bonjour ! \u3053\u3093\u306b\u3061\u306f"
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (values.public_origin, "calls.example.com"),
        (values.public_origin, "http://calls.example.com"),
        (values.public_origin, "https://ann:hunter2@calls.example.com"),
        (values.public_origin, "https://calls.example.com/x"),
        (values.public_origin, "https://my_calls.example.com"),
        (values.socket_origin, "api.deepgram.com"),
        (values.socket_origin, "https://api.deepgram.com"),
        (values.socket_origin, "wss://ann:hunter2"),
        (values.socket_origins, "wss://api.deepgram.com, wss://api.eu.deepgram.com"),
        (values.socket_origins, "wss://api.deepgram.com wss://ann:hunter2@api.eu.deepgram.com"),
        (values.socket_origins, "wss://api.deepgram.com wss://api.deepgram.com/"),
        (values.socket_url, "http://127.0.0.1:2700"),
        (values.socket_url, "ws://127.0.0.1:2700/#a"),
        (values.web_origin, "wss://api.twilio.com"),
        (values.web_origin, "https://api.twilio.com/2010"),
        (values.webhook, "app.example.com/calls"),
        (values.webhook, "https:///calls"),
        (values.webhook, "https://app.example.com/ca lls"),
        (values.webhook, "https://app.example.com/calls#hunter2"),
        (values.webhook, "https://ann:hunter2@app.example.com"),
        (values.webhook, "https://[hunter2"),
        (values.webhook, "https://app.example.com:hunter2/"),
        (values.webhook, "https://app.example\u2100.com/hunter2"),
        (values.object_store, "bucket"),
        (values.object_store, "s3://"),
        (values.object_store, "s3:///calls"),
        (values.object_store, "memory://"),
        (values.object_store, "https://bucket.s3.amazonaws.com"),
        (values.object_store, "s3://AKID:hunter2@bucket"),
        (values.object_store, "s3://bucket?secret=hunter2"),
        (values.object_store, "s3://bucket:9000"),
        (values.object_store, "file://mnt/calls"),
        (values.object_store, "file:///"),
        (values.object_store, "file:///mnt#hunter2"),
    ],
)
def test_a_url_that_cannot_work_is_refused_and_its_password_not_told(form, text):
    with pytest.raises(ValueError, match="must") as caught:
        form(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("form", "text", "meant"),
    [
        (values.public_origin, "https://calls.example.com/", "https://calls.example.com"),
        (values.public_origin, "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (values.socket_origin, "ws://[::1]:8080", "ws://[::1]:8080"),
        (values.socket_url, "wss://vosk.example/en", "wss://vosk.example/en"),
        (values.webhook, "http://app:81/a%2Fb?token=x", "http://app:81/a%2Fb?token=x"),
        (values.object_store, "s3://my-bucket/calls/eu", "s3://my-bucket/calls/eu"),
        (values.object_store, "az://calls", "az://calls"),
        (values.object_store, "file:///mnt/my%20calls", "file:///mnt/my%20calls"),
    ],
)
def test_a_url_that_can_work_passes(form, text, meant):
    assert form(text) == meant


@pytest.mark.parametrize(("text", "key"), [("*", "*"), ("#", "#"), ("0", "0"), ("d", "D")])
def test_a_key_of_a_telephone(text, key):
    assert values.telephone_key(text) == key


@pytest.mark.parametrize("text", ["", "10", "E", "٣", "**", "*\n"])
def test_what_is_no_key_of_a_telephone(text):
    with pytest.raises(ValueError, match="must be one key of a telephone"):
        values.telephone_key(text)
