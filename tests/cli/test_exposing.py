"""A tunnel that is found, asked for or started, and what becomes of it: against programs and agents on loopback."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from aiohttp import web

from bridge.cli.exposing import Places, Tunnel, TunnelError, exposed

HERE = "127.0.0.1:8080"
NOWHERE = Places((), ())


class Agent:
    """ngrok's agent API, which has one tunnel to another port and makes more."""

    def __init__(self, makes=201):
        self.tunnels = {"command_line": self.tunnel("command_line", "http://localhost:3000")}
        self.makes = makes

    def tunnel(self, name, addr):
        url = f"https://{name.partition('-')[0].replace('_', '-')}.ngrok.app"
        return {
            "name": name,
            "uri": f"/api/tunnels/{name}",
            "public_url": url,
            "proto": "https",
            "config": {"addr": addr},
        }

    async def list(self, request):
        return web.json_response({"tunnels": [*self.tunnels.values()], "uri": "/api/tunnels"})

    async def start(self, request):
        wanted = await request.json()
        assert wanted["proto"] == "http"
        if self.makes == 201:
            self.tunnels[wanted["name"]] = self.tunnel(wanted["name"], wanted["addr"])
            return web.json_response(self.tunnels[wanted["name"]], status=201)
        return web.json_response({"error_code": 103, "status_code": 502, "msg": "failed to start tunnel"}, status=502)

    async def stop(self, request):
        del self.tunnels[request.match_info["name"]]
        return web.Response(status=204)


@pytest.fixture
def agent():
    return Agent()


@pytest.fixture
async def ngrok(agent, aiohttp_server):
    app = web.Application()
    app.add_routes([web.get("/api/tunnels", agent.list), web.post("/api/tunnels", agent.start)])
    app.add_routes([web.delete("/api/tunnels/{name}", agent.stop)])
    return str((await aiohttp_server(app)).make_url("")).rstrip("/")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program of this name, which says this and then does that, where programs are looked for first."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(name, said, then="exec sleep 600"):
        path = tmp_path / name
        (tmp_path / f"{name}.said").write_text(said)
        path.write_text(f'#!/bin/sh\necho "$@" > {path}.asked\necho $$ > {path}.pid\ncat {path}.said\n{then}\n')
        path.chmod(0o755)
        return path

    return write


def is_running(path):
    return Path(f"/proc/{Path(f'{path}.pid').read_text().strip()}").exists()


NGROK = '{"lvl":"info","msg":"started tunnel","obj":"tunnels","url":"https://a988.ngrok-free.app"}\n'
CLOUDFLARED = (
    "2026-01-01T00:00:00Z INF |  https://some-random-name.trycloudflare.com    |\n"
    "2026-01-01T00:00:01Z INF Registered tunnel connection connIndex=0\n"
)


async def test_an_ngrok_that_leads_here_is_used_and_left(agent, ngrok):
    async with exposed("127.0.0.1:3000", Places([ngrok], ())) as tunnel:
        assert tunnel == Tunnel("https://command-line.ngrok.app", "the ngrok that runs")
    assert [*agent.tunnels] == ["command_line"]


async def test_an_ngrok_that_leads_elsewhere_is_asked_for_one_more_until_the_end(agent, ngrok):
    async with exposed(HERE, Places(["http://127.0.0.1:1", ngrok], ())) as tunnel:
        assert tunnel.url == "https://bridge.ngrok.app"
        assert agent.tunnels[f"bridge-{os.getpid()}"]["config"] == {"addr": HERE}
    assert [*agent.tunnels] == ["command_line"]


async def test_an_ngrok_that_makes_no_more_is_said(agent, ngrok):
    agent.makes = 502
    with pytest.raises(TunnelError, match=f"makes no second tunnel: end it, or start it as `ngrok http {HERE}`"):
        async with exposed(HERE, Places([ngrok], ())):
            pass


async def test_a_cloudflared_that_leads_here_is_used(aiohttp_server):
    async def quick(request):
        return web.Response(text='{"hostname":"some-random-name.trycloudflare.com"}')

    async def config(request):
        return web.json_response({"version": -1, "config": {"ingress": [{"service": f"http://{HERE}"}]}})

    app = web.Application()
    app.add_routes([web.get("/quicktunnel", quick), web.get("/config", config)])
    url = str((await aiohttp_server(app)).make_url("")).rstrip("/")
    async with exposed(HERE, Places((), ["http://127.0.0.1:1", url])) as tunnel:
        assert tunnel == Tunnel("https://some-random-name.trycloudflare.com", "the cloudflared that runs")


@pytest.mark.parametrize(
    ("name", "said", "url"),
    [
        ("ngrok", NGROK, "https://a988.ngrok-free.app"),
        ("cloudflared", CLOUDFLARED, "https://some-random-name.trycloudflare.com"),
    ],
)
async def test_what_is_installed_is_started_and_ended(program, name, said, url):
    path = program(name, said)
    async with exposed(HERE, NOWHERE) as tunnel:
        assert tunnel == Tunnel(url, name)
        assert HERE in Path(f"{path}.asked").read_text()
        assert is_running(path)
    assert not is_running(path)


async def test_one_that_makes_no_tunnel_gives_way_to_the_other(program):
    program("ngrok", "ERROR:  authentication failed\nERROR:  \nERROR:  ERR_NGROK_4018\n", "exit 1")
    program("cloudflared", CLOUDFLARED)
    async with exposed(HERE, NOWHERE) as tunnel:
        assert tunnel.made_by == "cloudflared"


async def test_why_there_is_none_is_said_of_each(program):
    program("ngrok", "ERROR:  authentication failed\nERROR:  \nERROR:  ERR_NGROK_4018\n", "exit 1")
    program("cloudflared", "", "exit 1")
    with pytest.raises(TunnelError) as raised:
        async with exposed(HERE, NOWHERE):
            pass
    assert str(raised.value) == (
        "ngrok makes no tunnel: authentication failed; give it your token: ngrok config add-authtoken TOKEN; "
        "cloudflared makes no tunnel: it has ended"
    )


async def test_without_a_program_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TunnelError, match="neither ngrok nor cloudflared is installed: .* set PUBLIC_URL"):
        async with exposed(HERE, NOWHERE):
            pass


async def test_one_that_ends_while_the_bridge_serves_is_told_in_the_log(program, caplog):
    path = program("ngrok", NGROK, 'while ! [ -e "$0.end" ]; do sleep 0.02; done')
    with caplog.at_level(logging.ERROR):
        async with exposed(HERE, NOWHERE), asyncio.timeout(60):
            Path(f"{path}.end").touch()
            while "the tunnel has ended: no call gets here any more" not in caplog.messages:
                await asyncio.sleep(0.01)


async def test_one_that_does_not_end_when_asked_is_killed(program, monkeypatch):
    monkeypatch.setattr("bridge.cli.exposing._END", 0.1)
    path = program("ngrok", NGROK, "trap '' TERM; while :; do sleep 0.02; done")
    async with exposed(HERE, NOWHERE):
        await asyncio.sleep(0)
    assert not is_running(path)
