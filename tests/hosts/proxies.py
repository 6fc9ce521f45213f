"""Real proxies in front of a bridge, with the files as they are shipped: only addresses and certificates are others."""

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import hosts
from scripts.benchmark.target import free_port
from tests.fakes import certificates
from tests.fakes.waiting import until

DEPLOY = Path(__file__).parent.parent.parent / "scripts" / "deploy"
TLS = Path(certificates.AUTHORITY).parent
START = 20.0
"""Seconds that a proxy may take to listen."""


@dataclass(frozen=True)
class Proxy:
    """One that runs."""

    port: int
    authority: Path
    """Of its certificate."""
    log: Path | None = None
    """Of the requests, if it keeps one."""

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext:
        """For a client that trusts it."""
        return ssl.create_default_context(cafile=self.authority)


def program(name: str) -> str:
    """The path of a program; skips the test where it is not installed."""
    path = hosts.program(name)
    if path is None:
        pytest.skip(f"there is no {name} here: ./scripts/hosts installs it where it can")
    return path


def shipped_nginx(folder: Path, port: int, plain_port: int, bridge_port: int) -> Path:
    """A configuration that includes the shipped file."""
    site = (DEPLOY / "nginx.conf").read_text()
    for shipped, here in (
        ("listen 80;", f"listen 127.0.0.1:{plain_port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("server 127.0.0.1:8080 ", f"server 127.0.0.1:{bridge_port} "),
        ("/etc/letsencrypt/live/calls.example.com/fullchain.pem", str(TLS / "server.pem")),
        ("/etc/letsencrypt/live/calls.example.com/privkey.pem", str(TLS / "server.pem")),
        ("/var/log/nginx/bridge.log", str(folder / "access.log")),
        ("calls.example.com", "localhost"),
    ):
        assert shipped in site, f"the file has no {shipped!r} any more"
        site = site.replace(shipped, here)
    (folder / "site.conf").write_text(site)
    main = folder / "nginx.conf"
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{place}_temp_path {folder}/{place};" for place in places)
    user = "user root;" if os.geteuid() == 0 else ""
    main.write_text(
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    return main


def shipped_caddyfile(folder: Path, plain_port: int, is_old: bool, name: str = "Caddyfile") -> Path:
    """A Caddyfile that imports the shipped one. `is_old`: for a Caddy before 2.7, which does not know all of it."""
    site = (DEPLOY / name).read_text()
    if is_old:
        site, left_out = re.subn(r"(?m)^\s*stream_close_delay .*\n", "", site)
        assert left_out == 1
    (folder / "site").write_text(site)
    main = folder / "Caddyfile"
    main.write_text(
        f"{{\n\tadmin off\n\thttp_port {plain_port}\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n"
        f"\tlocal_certs\n}}\nimport {folder}/site\n"
    )
    return main


async def caddy_is_old(caddy: str) -> bool:
    """Whether it is from before 2.7."""
    process = await asyncio.create_subprocess_exec(caddy, "version", stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), START)
    found = re.match(r"v?(\d+)\.(\d+)", said.decode())
    assert found, said
    return (int(found[1]), int(found[2])) < (2, 7)


def caddy_environment(folder: Path, port: int, *bridge_ports: int) -> dict[str, str]:
    """What the shipped Caddyfiles take from the environment, and where Caddy keeps its own things."""
    places = [f"127.0.0.1:{bridge_port}" for bridge_port in bridge_ports]
    own = {"XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder)}
    return {**os.environ, **own, "DOMAIN": f"localhost:{port}", "BRIDGE": places[0], "NODES": " ".join(places)}


@contextlib.asynccontextmanager
async def nginx(
    folder: Path, port: int, bridge_port: int, changed: Callable[[str], str] = lambda text: text
) -> AsyncIterator[Proxy]:
    """nginx in front of a bridge. `changed`: what is done to the shipped file."""
    command = [program("nginx"), "-p", str(folder), "-c", str(shipped_nginx(folder, port, free_port(), bridge_port))]
    site = folder / "site.conf"
    site.write_text(changed(site.read_text()))
    async with _running(command, dict(os.environ), port):
        yield Proxy(port, certificates.AUTHORITY, folder / "access.log")


@contextlib.asynccontextmanager
async def caddy(folder: Path, port: int, *bridge_ports: int) -> AsyncIterator[Proxy]:
    """Caddy in front of a bridge, or of several, with a certificate of its own authority."""
    executable = program("caddy")
    name = "Caddyfile" if len(bridge_ports) == 1 else "Caddyfile.nodes"
    main = shipped_caddyfile(folder, free_port(), await caddy_is_old(executable), name)
    command = [executable, "run", "--config", str(main), "--adapter", "caddyfile"]
    authority = folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    async with _running(command, caddy_environment(folder, port, *bridge_ports), port, authority.exists):
        yield Proxy(port, authority)


@contextlib.asynccontextmanager
async def _running(
    command: list[str], environment: dict[str, str], port: int, is_made: Callable[[], bool] = lambda: True
) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(START):
            while not await _listens(port):
                assert process.returncode is None, (await said).decode()
        await until(is_made, START)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), START)
        except TimeoutError:
            process.kill()
            await process.wait()
        await said


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await asyncio.sleep(0.05)
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
