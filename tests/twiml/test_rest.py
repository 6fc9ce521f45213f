"""Every way a request to Twilio can fail is one error, with a sentence and without a secret."""

import asyncio

import pytest

from tests.fakes import certificates
from tests.fakes.http import read_request, server
from tests.fakes.proxy import Proxy
from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest, number
from twiml.errors import TwilioError
from twiml.rest import TwilioAccount

LIST = "IncomingPhoneNumbers.json"


def account(twilio: FakeTwilioRest, **changes: object) -> TwilioAccount:
    fields = {"sid": ACCOUNT, "auth_token": AUTH_TOKEN, "base_url": twilio.url, "timeout": 5.0, **changes}
    return TwilioAccount(**fields)  # type: ignore[arg-type]


async def failure(account: TwilioAccount) -> str:
    with pytest.raises(TwilioError) as caught:
        await account.get(LIST, {}, "number +15550001")
    # The chain may end up in a log as well as the message.
    assert AUTH_TOKEN not in repr(caught.value) + repr(caught.value.__cause__)
    return str(caught.value)


async def test_an_answer_is_its_json() -> None:
    async with FakeTwilioRest(numbers=[number("PN1", "+15550001")]) as twilio:
        answer = await account(twilio, base_url=twilio.url + "/").get(LIST, {"PhoneNumber": "+15550001"}, "number")
    assert answer["incoming_phone_numbers"][0]["sid"] == "PN1"


async def test_wrong_credentials_name_the_settings_to_check() -> None:
    async with FakeTwilioRest() as twilio:
        for wrong in ({"auth_token": "not this"}, {"sid": "AC" + "9" * 32}):
            said = await failure(account(twilio, **wrong))
            assert "401" in said
            assert "TWILIO_AUTH_TOKEN" in said
            assert "not this" not in said


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, "", "knows no number +15550001 on this account"),
        (429, '{"code": 20429}', "busy or failing (429); try again"),
        (500, "<html>", "busy or failing (500)"),
        (503, "[]", "busy or failing (503)"),
        (400, '{"code": 21210, "message": "Not verified"}', "(400, error 21210): Not verified"),
        (403, '{"message": "Not allowed"}', "(403): Not allowed"),
        (403, "null", "(403): without a reason"),
        (403, f'{{"message": "not {AUTH_TOKEN}"}}', "(403): not …"),
        (407, "", "the proxy wants to know who we are (407)"),
        (307, "", "(307): without a reason"),
        (200, "<html>Hello</html>", "not JSON"),
        (200, "[]", "not JSON"),
        (200, "", "not JSON"),
    ],
)
async def test_each_refusal_has_its_sentence(status: int, body: str, says: str) -> None:
    async with FakeTwilioRest(answer_with=(status, body)) as twilio:
        assert says.lower() in (await failure(account(twilio))).lower()


async def test_silence_ends() -> None:
    async with FakeTwilioRest(silent=True) as twilio:
        said = await failure(account(twilio, timeout=0.05))
    assert "did not answer within 0.05 seconds" in said


async def test_nobody_there() -> None:
    async with FakeTwilioRest() as twilio:
        gone = account(twilio)
    said = await failure(gone)
    assert "cannot be reached" in said
    assert "127.0.0.1" in said


async def test_credentials_may_hold_any_character() -> None:
    async with FakeTwilioRest() as twilio:
        assert "401" in await failure(account(twilio, auth_token="pass:wörd 📞"))


@pytest.mark.parametrize(("sid", "token"), [("", "t"), ("AC1", ""), ("AC1/../x", "t"), ("AC:1", "t")])
def test_missing_credentials_are_asked_for(sid: str, token: str) -> None:
    with pytest.raises(TwilioError, match="Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"):
        TwilioAccount(sid, token)


def test_the_account_does_not_show_its_token() -> None:
    assert AUTH_TOKEN not in repr(TwilioAccount(ACCOUNT, AUTH_TOKEN))
    assert TwilioAccount(ACCOUNT, AUTH_TOKEN).base_url == "https://api.twilio.com"


# --- the way there --------------------------------------------------------------------------------------------------


async def test_through_a_proxy() -> None:
    async with FakeTwilioRest(numbers=[number("PN1", "+15550001")]) as twilio:
        async with Proxy({"twilio.invalid": int(twilio.url.rpartition(":")[2])}) as proxy:
            there = account(twilio, base_url="http://twilio.invalid", proxy=proxy.url.replace("//", "//me:s3cret@"))
            answer = await there.get(LIST, {"PhoneNumber": "+15550001"}, "number")
    assert answer["incoming_phone_numbers"][0]["sid"] == "PN1"
    assert proxy.asked[0][1].startswith("http://twilio.invalid/2010-04-01/")
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in proxy.heads[0]
    assert "s3cret" not in repr(there)


@pytest.mark.parametrize("base_url", ["http://twilio.invalid", "https://twilio.invalid"])
async def test_a_proxy_that_fails_is_named_and_its_password_is_not(base_url: str) -> None:
    async with FakeTwilioRest() as twilio:
        async with Proxy(refuse=407) as proxy:
            secret = proxy.url.replace("//", "//me:s3cret@")
            refused = await failure(account(twilio, base_url=base_url, proxy=secret))
        gone = await failure(account(twilio, base_url=base_url, proxy=secret))
    assert "proxy" in refused and "407" in refused
    assert "the proxy does not answer" in gone
    assert "s3cret" not in refused + gone


async def test_a_private_authority() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 60_000 + b"\r\nContent-Length: 2\r\n\r\n{}")

    async with server(script, certificates.serving()) as url:
        untrusted = await failure(TwilioAccount(ACCOUNT, AUTH_TOKEN, url.rstrip("/")))
        trusted = TwilioAccount(ACCOUNT, AUTH_TOKEN, url.rstrip("/"), tls=certificates.trusting())
        assert await trusted.post(LIST, {}, "number") == {}
    assert "its certificate is not trusted" in untrusted


@pytest.mark.parametrize(
    ("octets", "says"),
    [(b"", "the connection broke"), (b"nonsense\r\n\r\n", "no sensible answer")],
)
async def test_what_is_no_answer(octets: bytes, says: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(octets)

    async with server(script) as url:
        assert says in await failure(TwilioAccount(ACCOUNT, AUTH_TOKEN, url.rstrip("/")))


@pytest.mark.parametrize("base_url", ["http://me:s3cret@127.0.0.1:1", "nonsense", "http://[::1"])
async def test_an_address_that_is_none(base_url: str) -> None:
    said = await failure(TwilioAccount(ACCOUNT, AUTH_TOKEN, base_url))
    assert "cannot be asked" in said or "cannot be reached" in said
    assert "s3cret" not in said


async def test_a_name_that_does_not_exist() -> None:
    assert "no such name" in await failure(TwilioAccount(ACCOUNT, AUTH_TOKEN, "http://twilio.invalid"))
