"""The doctor on disks that are really full, and behind an nginx that really drops the upgrade: what it says is done to
the letter, and then all is well."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.doctor.finding import Mark
from scripts.benchmark.target import free_port
from tests.fakes import certificates, twilio_rest
from tests.fakes.running import ROOT, bridge, settings
from tests.fakes.setups import working
from tests.hosts import proxies

pytestmark = pytest.mark.hosts


@pytest.mark.parametrize(
    ("name", "said"),
    [("full", "is full"), ("full-of-files", "no more files can be made"), ("read-only", "is read-only")],
)
def test_a_disk_that_takes_nothing_takes_something_once_the_remedy_is_followed(
    tmp_path: Path, name: str, said: str
) -> None:
    """In a name space of its own, which ends with the disk."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a disk")
    command = ["unshare", "-m", sys.executable, "-m", "tests.hosts.disks", name, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, after = (json.loads(line) for line in done.stdout.splitlines())

    assert (before["status"], said in before["message"]) == ("error", True), before
    assert after["status"] in ("ok", "warning"), after


def without_sockets(site: str) -> str:
    """The shipped file, as someone writes it who does not know of WebSockets."""
    return re.sub(r"proxy_set_header (Upgrade|Connection) .*;|proxy_http_version .*;", "", site)


async def test_an_nginx_that_drops_the_upgrade_passes_it_with_the_lines_of_the_remedy(tmp_path: Path) -> None:
    port, bridge_port, folder = free_port(), free_port(), tmp_path / "proxy"
    folder.mkdir()
    given = {"PUBLIC_URL": f"https://localhost:{port}", "SSL_CERT_FILE": str(certificates.AUTHORITY)}
    signed = {"twilio_signature": "strict", "twilio_auth_token": twilio_rest.AUTH_TOKEN}
    async with working(tmp_path) as setup:
        shared = {"public_url": given["PUBLIC_URL"], "port": bridge_port, **signed}
        async with bridge(settings(setup.data, setup.deepgram.url, **shared)):
            async with proxies.nginx(folder, port, bridge_port, without_sockets):
                *_, media = await setup.findings("public-url", **given)
            assert (media.mark, "lets no WebSocket through" in media.said) == (Mark.BROKEN, True)
            (lines,) = re.findall(r"nginx: (.*?;.*?;.*?;)", media.remedy)

            def followed(site: str) -> str:
                return without_sockets(site).replace("proxy_pass http://bridge;", f"proxy_pass http://bridge; {lines}")

            async with proxies.nginx(folder, port, bridge_port, followed):
                *_, media = await setup.findings("public-url", **given)
    assert media.mark is Mark.FINE
