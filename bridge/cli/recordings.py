"""Which recordings a person means by files, folders and addresses, and what names each of them for good.

A file is known by its content, so that it is the same one under another name or address; a recording of Twilio's by its
id, so that it need not be fetched to be known.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import aiohttp

from bridge.cli.sources import SourceError
from bridge.egress import Egress
from bridge.guard import Guard
from bridge.local.deepgram.fetching import sockets
from twiml.recordings import RecordingAddress, recording_address

SUFFIXES = frozenset(
    (
        *(".wav", ".mp3", ".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".aac", ".ogg", ".oga", ".opus", ".webm", ".mkv"),
        *(".flac", ".wma", ".amr", ".gsm", ".au", ".aif", ".aiff", ".caf", ".mka", ".mpga", ".avi", ".wv"),
    )
)
"""Of the files in a folder, those that may have audio."""

_ID = 32  # characters of the hash
_SILENCE = 60.0  # seconds without an octet after which a download is given up
_LARGEST = 4 * 2**30  # octets of one


@dataclass(frozen=True, slots=True)
class Recording:
    """One that was named."""

    name: str
    """As it is shown, and kept in the record: without folder, address or password."""
    path: Path | None = None
    address: str | None = None
    of_twilio: RecordingAddress | None = None


def find(sources: Iterable[str], twilio_api: str) -> tuple[list[Recording], int]:
    """The recordings, in order, and how many other files are in the folders. `twilio_api`: Twilio's origin.

    Raises SourceError for what is not there.
    """
    found: list[Recording] = []
    others = 0
    for source in sources:
        if source.startswith(("http://", "https://")):
            found.append(_at(source, twilio_api))
            continue
        path = Path(source)
        try:
            if path.is_dir():
                files = _files(path)
                audio = [file for file in files if file.suffix.lower() in SUFFIXES]
                found += [Recording(_text(str(file.relative_to(path))), file) for file in audio]
                others += len(files) - len(audio)
            elif path.is_file():
                found.append(Recording(_text(path.name), path))
            else:
                raise SourceError(f"{source} is no file" if path.exists() else f"there is no {source}")
        except OSError as error:
            raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from None
    return found, others


def _files(folder: Path) -> list[Path]:
    """Of a folder and those within, but for hidden ones, in order. Raises OSError for one that cannot be read."""

    def fail(error: OSError) -> None:
        raise error

    files = (Path(within, name) for within, _, names in os.walk(folder, onerror=fail) for name in names)
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _text(name: str) -> str:
    """A name as text: what names a file may be any octets."""
    return os.fsencode(name).decode(errors="replace")


def _at(address: str, twilio_api: str) -> Recording:
    try:
        parts = urlsplit(address)
        named = recording_address(address, twilio_api)
    except ValueError:
        raise SourceError("an address cannot be read") from None
    if named:
        return Recording(named.sid, address=address, of_twilio=named)
    name = _text(PurePosixPath(parts.path).name) or parts.hostname or "the address"
    return Recording(name, address=address)


def content_id(path: Path) -> str:
    """What names a file's content. Blocks. Raises SourceError."""
    try:
        with path.open("rb") as file:
            return f"import-{hashlib.file_digest(file, 'sha256').hexdigest()[:_ID]}"
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from None


def downloaded(folder: Path, address: str) -> Path:
    """Where what is at an address is kept while it is imported."""
    return folder / f"{hashlib.sha256(address.encode()).hexdigest()[:_ID]}.download"


async def fetch(recording: Recording, to: Path, egress: Egress) -> None:
    """Download what is at an address, unless it is here already; its time is the server's. Raises SourceError."""
    if to.exists():
        return
    new = to.with_suffix(".fetching")
    try:
        async with _get(recording, egress) as response:
            if response.status != 200:
                raise SourceError(f"the server does not give {recording.name} ({response.status})")
            size = 0
            with new.open("wb") as file:
                async for piece in response.content.iter_any():
                    size += len(piece)
                    if size > _LARGEST:
                        raise SourceError(f"{recording.name} is larger than {_LARGEST >> 30} GB")
                    file.write(piece)
            modified = _moment(response.headers.get("Last-Modified", ""))
    except (aiohttp.ClientError, TimeoutError, ValueError):
        raise SourceError(f"{recording.name} cannot be fetched: the server does not answer, or breaks off") from None
    except OSError as error:
        raise SourceError(f"{recording.name} cannot be kept: {error.strerror}") from None
    if modified:
        os.utime(new, (modified, modified))
    new.rename(to)


@asynccontextmanager
async def _get(recording: Recording, egress: Egress) -> AsyncIterator[aiohttp.ClientResponse]:
    address = recording.address or ""
    route = egress.route(address)
    patience = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=_SILENCE)
    # The address is the operator's own; what it redirects to must not be a metadata service.
    connector = aiohttp.TCPConnector(ssl=route.tls or True, socket_factory=None if route.proxy else sockets(Guard()))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=patience, proxy=route.proxy_url, trust_env=False) as session,
        session.get(address) as response,
    ):
        yield response


def _moment(said: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp())
    except (TypeError, ValueError):
        return None
