import pytest
from aiohttp import web

from bridge.local.voice import VoiceError, ask
from tests.fakes import certificates
from tests.fakes.http import server
from tests.fakes.running import TWILIO_TOKEN, bridge, deepgram, settings
from twiml import signature


async def test_the_bridges_own_voice_webhook_names_its_socket(tmp_path):
    async with deepgram() as server:
        configured = settings(tmp_path, server.url, public_url="https://calls.example.com")
        async with bridge(configured) as origin:
            url, options = await ask(f"{origin}/twiml/voice", None)

    assert url == "wss://calls.example.com/media/twilio"
    assert options.parameters["bridge.from"] == "+15550101"
    assert options.parameters["bridge.token"]


async def serving(aiohttp_server, answer):
    app = web.Application()
    app.router.add_post("/voice", answer)
    server = await aiohttp_server(app)
    return str(server.make_url("/voice"))


async def test_the_request_is_signed_as_twilio_signs(aiohttp_server):
    seen = {}

    async def answer(request):
        form = await request.post()
        seen["valid"] = signature.verify_form(
            [TWILIO_TOKEN], str(request.url), form, request.headers[signature.SIGNATURE_HEADER]
        )
        return web.Response(text='<Response><Start><Stream url="wss://x/y"/></Start></Response>')

    here = await serving(aiohttp_server, answer)
    url, options = await ask(here, TWILIO_TOKEN)

    assert seen["valid"]
    assert (url, options.parameters) == ("wss://x/y", {})


@pytest.mark.parametrize(
    ("status", "text"), [(403, "not signed"), (200, "<Response/>"), (200, "no XML"), (500, "<Response/>")]
)
async def test_any_other_answer_is_told(aiohttp_server, status, text):
    async def answer(request):
        return web.Response(status=status, text=text)

    with pytest.raises(VoiceError, match=str(status)) as raised:
        await ask(await serving(aiohttp_server, answer), None)
    assert raised.value.status == status


async def test_a_certificate_that_is_not_trusted_is_told():
    async with server(nobody, certificates.serving(certificates.OTHER)) as url:
        with pytest.raises(VoiceError, match=r"cannot be reached: tls \(self-signed certificate\): .*SSL_CERT_FILE"):
            await ask(url, None)


async def nobody(reader, writer):
    await reader.read()


async def test_nobody_there_is_told():
    with pytest.raises(VoiceError, match=r"cannot be reached: connect \(ECONNREFUSED\)") as raised:
        await ask("http://127.0.0.1:1/voice", None)
    assert raised.value.status is None
