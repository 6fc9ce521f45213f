"""The shell around the sessions of one call's channels: a client with a socket for each, and the face of one client.

For a recognizer that hears one channel on a socket. What is interleaved comes apart here, and what each client says
goes through `channels`, which decides what of it is told.
"""

from collections.abc import Callable

from bridge.audio import AudioFormat
from bridge.deepgram.channels import Channels
from bridge.deepgram.client import Client, FetchAudio
from bridge.deepgram.dialect import Dialect, Listen
from bridge.deepgram.exchange import SessionEvent
from bridge.deepgram.flux import Flux
from bridge.deepgram.options import Options

Open = Callable[[AudioFormat, Callable[[SessionEvent], None], FetchAudio | None], Client]
"""Makes the client of one channel: its format, whom it tells, and where it fetches."""


class MonoClients:
    """One client for each channel of the audio."""

    def __init__(
        self,
        format_: AudioFormat,
        open_: Open,
        on_event: Callable[[SessionEvent], None],
        fetch: FetchAudio | None = None,
    ) -> None:
        """`format_`: of the audio that comes. `on_event` and `fetch`: as a client's, for all channels."""
        self._format = format_
        self._on_event = on_event
        self._fetch = fetch
        self._clients = [
            open_(
                format_.mono,
                lambda event, channel=channel: self._receive(channel, event),  # type: ignore[misc]
                self._fetch_of(channel) if fetch else None,
            )
            for channel in range(format_.channels)
        ]
        self.session = Channels([client.session for client in self._clients])

    def __repr__(self) -> str:
        return f"<MonoClients {self._clients}>"

    def start(self) -> None:
        """Begin to connect."""
        for client in self._clients:
            client.start()

    def receive_audio(self, chunk: bytes) -> None:
        """More of the call, interleaved: whole samples."""
        for client, audio in zip(self._clients, self._format.apart(chunk), strict=True):
            client.receive_audio(audio)

    def spare(self, kept: int) -> None:
        """As a session's."""
        for client in self._clients:
            client.spare(kept)

    def pause(self) -> None:
        """As a client's."""
        for client in self._clients:
            client.pause()

    @property
    def settles(self) -> bool:
        """As a client's."""
        return all(client.settles for client in self._clients)

    def finalize(self, position: int) -> None:
        """As a client's."""
        for client in self._clients:
            client.finalize(position)

    def finish(self, *, cut: bool = False) -> None:
        """As a client's; `cut` for each channel that speaks then."""
        for client in self._clients:
            client.finish(cut=cut)

    def abort(self) -> None:
        """As a client's."""
        for client in self._clients:
            client.abort()

    async def wait_ended(self) -> None:
        """Until every session has ended and its sockets are gone."""
        for client in self._clients:
            await client.wait_ended()

    def _receive(self, channel: int, event: SessionEvent) -> None:
        if told := self.session.receive(channel, event):
            self._on_event(told)

    def _fetch_of(self, channel: int) -> FetchAudio:
        async def fetch(start: int, samples: int) -> tuple[int, bytes]:
            assert self._fetch
            found, audio = await self._fetch(start, samples)
            return found, self._format.apart(audio)[channel]

        return fetch


AnyClient = Client | MonoClients
"""One socket for all channels, or one for each: the call knows no difference."""


def dialect_of(options: Options, format_: AudioFormat) -> Dialect:
    """The one in which a request with these options is answered."""
    return Flux(options.get("model") or "", format_) if options.is_flux else Listen()


def open_clients(
    format_: AudioFormat,
    open_: Open,
    on_event: Callable[[SessionEvent], None],
    fetch: FetchAudio | None = None,
    *,
    apart: bool,
) -> AnyClient:
    """`apart`: the recognizer hears one channel on a socket."""
    return MonoClients(format_, open_, on_event, fetch) if apart else open_(format_, on_event, fetch)
