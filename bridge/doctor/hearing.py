"""Deepgram, or the Vosk server in its place, asked as a call asks: at every origin, with the options of all calls."""

import asyncio

from yarl import URL

from bridge.audio import TELEPHONE
from bridge.config import Settings
from bridge.deepgram import flux_options
from bridge.deepgram.messages import Refusal
from bridge.deepgram.mono import dialect_of
from bridge.deepgram.options import Options, parse
from bridge.deepgram.origins import Origin
from bridge.deepgram.prober import ask
from bridge.deepgram.socket import Socket
from bridge.doctor.finding import Finding, broken, doubt, fine, skipped
from bridge.doctor.judging import deepgram
from bridge.doctor.judging.network import Answer, may_be_tls, speaks_tls
from bridge.doctor.measuring import http
from bridge.egress import Egress
from bridge.failure import Failure, read
from bridge.policies import call_policy, deepgram_origins

_HANDSHAKE = 5.0  # seconds for each of the two steps
_PROJECTS = 5
_NO_CREDIT = 402


async def examine_deepgram(settings: Settings, egress: Egress) -> list[Finding]:
    """A handshake at each origin, and each key's balance. Raises ConfigError for a proxy that cannot be used."""
    origins = deepgram_origins(settings, egress).all
    if settings.bridge_vosk_url:
        return await _vosk(settings, origins[0])
    if not settings.deepgram_keys:
        return [skipped(deepgram.LISTEN, "without DEEPGRAM_API_KEY there is nothing to ask Deepgram with")]
    found = await asyncio.gather(*(_deepgram(settings, origin) for origin in origins))
    return [finding for findings in found for finding in findings]


async def examine_local() -> list[Finding]:
    """What hears calls in Deepgram's place with `--local`."""
    from bridge.local.recognizer import ABOUT, available  # not above: a server that checks itself does without

    if missing := available():
        remedy = "pip install 'media-stream-bridge[local]'; without it every call gets the words of the sample call"
        return [doubt(deepgram.LISTEN, f"no speech is recognized here: {missing.partition(' (')[0]}", remedy)]
    return [fine(deepgram.LISTEN, f"calls are heard here, as with bridge serve --local: {ABOUT}")]


async def handshake(settings: Settings, origin: Origin) -> Refusal | None:
    """As a call without options of its own would have it; None: it went well."""
    return await _ask(origin, parse(settings.deepgram_options))


def asked_for(settings: Settings) -> str:
    """What that handshake asks for, in short."""
    return _in_short(parse(settings.deepgram_options))


async def _deepgram(settings: Settings, origin: Origin) -> list[Finding]:
    asked = _asked(settings)
    known, balance, refusals = await asyncio.gather(
        _get(origin, "/v1/auth/token"),
        _balance(origin),
        asyncio.gather(*(_ask(origin, options) for options in asked)),
    )
    if await _speaks_tls(origin, refusals[0]):
        return [broken(deepgram.LISTEN, *speaks_tls(origin.name, "DEEPGRAM_URL"))]
    is_known = deepgram.is_known(known)
    findings = [
        deepgram.listening(refusal, origin.name, _in_short(options), key_is_known=is_known)
        for options, refusal in zip(asked, refusals, strict=True)
    ]
    if refusals[0] is None:
        return [*findings, balance]
    return [findings[0], balance] if refusals[0].status == _NO_CREDIT else findings[:1]  # the rest would say the same


def _asked(settings: Settings) -> list[Options]:
    """What live calls ask for; and with Flux, which hears them alone, the model that kept audio is transcribed by."""
    live = parse(settings.deepgram_options)
    return [live, Options(flux_options.recorded(live.pairs))] if live.is_flux else [live]


async def _ask(origin: Origin, options: Options) -> Refusal | None:
    return await ask(origin, options.target(), dialect_of(options, TELEPHONE.mono), _HANDSHAKE)


def _in_short(options: Options) -> str:
    language = options.get("language")
    return f"model={options.get('model')}" + (f"&language={language}" if language else "")


async def _balance(origin: Origin) -> Finding:
    projects = deepgram.projects(await _get(origin, "/v1/projects"))[:_PROJECTS]
    paths = (f"/v1/projects/{URL.build(path=each).raw_path}/balances" for each in projects)
    return deepgram.balance(await asyncio.gather(*(_get(origin, path) for path in paths)), origin.name)


async def _get(origin: Origin, path: str) -> Answer | Failure:
    url = f"http{origin.url.removeprefix('ws')}{path}"
    return await http.ask(url, origin.route, {"Authorization": f"Token {origin.key}"}, patience=_HANDSHAKE)


async def _vosk(settings: Settings, origin: Origin) -> list[Finding]:
    socket = Socket(f"{origin.url}{call_policy(settings).vosk_request or ''}", "", origin.route)
    try:
        refusal = await socket.open(_HANDSHAKE)
    finally:
        socket.abort()
    if await _speaks_tls(origin, refusal):
        return [broken(deepgram.LISTEN, *speaks_tls(origin.name, "BRIDGE_VOSK_URL"))]
    return [deepgram.vosk(refusal, origin.name)]


async def _speaks_tls(origin: Origin, refusal: Refusal | None) -> bool:
    """Whether an origin without TLS refuses because it speaks nothing else."""
    if refusal is None or not origin.url.startswith("ws://"):
        return False
    outcome = read(refusal.reason) if refusal.status is None else Answer(refusal.status)
    return may_be_tls(outcome) and await http.speaks_tls(origin.url, origin.route)
