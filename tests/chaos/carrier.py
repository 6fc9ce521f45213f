"""The carrier's REST API: it starts a stream of a call when the bridge asks for one, and stops one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest

Ask = Callable[[tuple[str, ...], Mapping[str, str]], bool]
"""A stream of these tracks, with these parameters, is wanted; False: there will be none."""

_TRACKS = {
    "both_tracks": ("inbound", "outbound"),
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
}


@dataclass
class Carrier(FakeTwilioRest):
    """Each call answers for itself."""

    asks: dict[str, Ask] = field(default_factory=dict)
    """By call id."""
    stops: dict[str, Callable[[str], bool]] = field(default_factory=dict)
    """By call id: a stream is to stop, by its id; False: there is none."""

    @property
    def settings(self) -> dict[str, str]:
        """What the bridge needs to ask here."""
        return {
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "BRIDGE_TWILIO_API": self.url,
            "PUBLIC_URL": "https://bridge.example",
        }

    def stop(self, call: str, stream: str) -> bool:
        return call in self.stops and self.stops[call](stream)

    async def _create_stream(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        call_id = request.match_info["sid"]
        ask = self.asks.get(call_id)
        if ask and ask(_TRACKS[form["Track"]], _parameters(form)):
            self.calls.add(call_id)
        else:
            self.calls.discard(call_id)
        return await super()._create_stream(request)


def _parameters(form: Mapping[str, str]) -> dict[str, str]:
    names = {key.removesuffix(".Name"): name for key, name in form.items() if key.endswith(".Name")}
    return {name: form[f"{key}.Value"] for key, name in names.items()}
