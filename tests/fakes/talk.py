"""A carrier that plays the fakes' call, or a part of it, as fast as it goes."""

from websockets.asyncio.client import connect

from tests.fakes import frames
from tests.fakes.running import AUDIO


async def play(
    origin, start=0, end=None, *, stop=True, call=frames.CALL, stream=frames.STREAM, parameters=None, **headers
):
    """Both tracks from octet `start` to `end`; without `stop` the socket is simply gone afterwards."""
    url = f"{origin.replace('http', 'ws', 1)}/media/twilio"
    async with connect(url, compression=None, additional_headers=headers) as socket:
        await socket.send(frames.start(call, stream, parameters))
        for message in frames.talk(*(track[start:end] for track in AUDIO)):
            await socket.send(message)
        if stop:
            await socket.send(frames.stop(stream=stream))
