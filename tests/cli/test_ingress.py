"""What ngrok and cloudflared say, in the forms of their documentation and of their logs."""

import pytest

from bridge.cli.ingress import CLOUDFLARED, NGROK, Said, cloudflared_url, leads_to, ngrok_url

TUNNELS = {
    "tunnels": [
        {
            "name": "command_line (http)",
            "uri": "/api/tunnels/command_line%20%28http%29",
            "public_url": "http://00bbdd913fc3.ngrok.io",
            "proto": "http",
            "config": {"addr": "http://localhost:8080", "inspect": True},
        },
        {
            "name": "command_line",
            "uri": "/api/tunnels/command_line",
            "public_url": "https://d95211d2.ngrok.app",
            "proto": "https",
            "config": {"addr": "localhost:80", "inspect": True},
            "metrics": {"conns": {"count": 0, "gauge": 0, "rate1": 0}},
        },
        {"name": "bridge", "public_url": "https://a988.ngrok-free.app", "config": {"addr": "http://localhost:8080"}},
    ],
    "uri": "/api/tunnels",
}

QUICK = {"hostname": "some-random-name.trycloudflare.com"}


def served(*rules):
    """As cloudflared's `/config` has it."""
    return {"version": -1, "config": {"ingress": list(rules), "warp-routing": {}, "originRequest": {}}}


@pytest.mark.parametrize(
    ("port", "url"), [(8080, "https://a988.ngrok-free.app"), (80, "https://d95211d2.ngrok.app"), (9, None)]
)
def test_the_tunnel_of_an_ngrok_that_runs(port, url):
    assert ngrok_url(TUNNELS, port) == url


def test_the_tunnel_of_a_cloudflared_that_runs():
    mine = {"hostname": "", "path": "", "service": "http://localhost:8080", "originRequest": {}}
    named = {"hostname": "calls.example.com", "service": "http://127.0.0.1:8080"}
    other = {"hostname": "app.example.com", "service": "http://localhost:3000"}
    rest = {"service": "http_status:404"}

    assert cloudflared_url(QUICK, served(mine), 8080) == "https://some-random-name.trycloudflare.com"
    assert cloudflared_url({"hostname": ""}, served(other, named, rest), 8080) == "https://calls.example.com"
    assert cloudflared_url(QUICK, served(other), 8080) is None
    assert cloudflared_url({"hostname": ""}, served(mine), 8080) is None
    assert cloudflared_url(None, served({**named, "path": "/hooks"}), 8080) is None


@pytest.mark.parametrize(
    "rubbish", [None, [], "x", {}, {"tunnels": 3}, {"tunnels": ["x", {"config": 3}]}, {"config": []}]
)
def test_what_cannot_be_read_is_no_tunnel(rubbish):
    assert ngrok_url(rubbish, 8080) is None
    assert cloudflared_url(rubbish, rubbish, 8080) is None


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("8080", True),
        ("localhost:8080", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost:80", False),
        ("https://localhost:8080", False),
        ("http://10.0.0.1:8080", False),
        ("http_status:404", False),
        ("http://localhost:port", False),
        ("unix:/var/run/app.sock", False),
    ],
)
def test_whether_it_leads_here(address, leads):
    assert leads_to(address, 8080) is leads


def test_how_they_are_started():
    assert " ".join(NGROK.command("127.0.0.1:8080")) == "ngrok http 127.0.0.1:8080 --log=stdout --log-format=json"
    assert " ".join(CLOUDFLARED.command("127.0.0.1:8080")) == (
        "cloudflared tunnel --no-autoupdate --config /dev/null --url http://127.0.0.1:8080"
    )


STARTED = (
    '{"addr":"http://localhost:5103","lvl":"info","msg":"started tunnel","name":"command_line","obj":"tunnels",'
    '"t":"2026-05-12T11:05:24+0800","url":"https://a988-156-0-200-137.ngrok-free.app"}'
)
REFUSED = (
    '{"err":"authentication failed: Usage of ngrok requires a verified account and authtoken.\\n\\nSign up for an '
    'account: https://dashboard.ngrok.com/signup\\nYour authtoken: secret\\r\\n\\r\\nERR_NGROK_4018\\r\\n",'
    '"lvl":"eror","msg":"failed to reconnect session","obj":"csess","t":"2026-05-12T11:05:24+0800"}'
)
NO_TOKEN = "authentication failed: Usage of ngrok requires a verified account and authtoken"
TOKEN = "give it your token: ngrok config add-authtoken TOKEN"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (STARTED, Said(url="https://a988-156-0-200-137.ngrok-free.app", connected=True)),
        (REFUSED, Said(fault=NO_TOKEN, remedy=TOKEN)),
        (f"ERROR:  {NO_TOKEN}.", Said(fault=NO_TOKEN)),
        ("ERROR:  ERR_NGROK_4018", Said(fault="ERR_NGROK_4018", remedy=TOKEN)),
        ("ERROR:  ERR_NGROK_9", Said(fault="ERR_NGROK_9", remedy="see https://ngrok.com/docs/errors/err_ngrok_9/")),
        ('{"lvl":"eror","msg":"x","err":"<nil>"}', Said()),
        ('{"lvl":"info","msg":"client session established","obj":"csess"}', Said()),
        ("3", Said()),
        ("", Said()),
    ],
)
def test_what_ngrok_logs(line, said):
    assert NGROK.read(line) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2023-01-16T08:32:54Z INF Requesting new quick Tunnel on trycloudflare.com...", Said()),
        (
            "2023-01-16T08:32:58Z INF |  https://oklahoma-solo-younger-truck.trycloudflare.com                 |",
            Said(url="https://oklahoma-solo-younger-truck.trycloudflare.com"),
        ),
        (
            "2023-01-16T08:32:59Z INF Registered tunnel connection connIndex=0 connection=0 ip=198.41.192.7 location=x",
            Said(connected=True),
        ),
        (
            'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: no such host',
            Said(
                fault='failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": '
                "dial tcp: no such host"
            ),
        ),
        ("2023-01-16T08:32:59Z ERR Failed to dial a quic connection", Said(fault="Failed to dial a quic connection")),
    ],
)
def test_what_cloudflared_logs(line, said):
    assert CLOUDFLARED.read(line) == said
