"""The files for hosts, read by the programs that they are for, or by a linter."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from scripts.benchmark.target import free_port
from tests.hosts import proxies
from tests.hosts.proxies import DEPLOY, program

pytestmark = pytest.mark.hosts

TOP = DEPLOY.parent.parent
SECONDS = 60
EXPOSED = 20
"""Tenths of what `systemd-analyze security` gives for how exposed a service is; 100 is all."""


def run(*command: str | Path, **options: object) -> str:
    """What a program writes, which must be content."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def test_the_dockerfile_is_clean() -> None:
    run(program("hadolint"), "--failure-threshold", "info", TOP / "Dockerfile")


def test_the_compose_files_are_ones() -> None:
    files = sorted(DEPLOY.glob("compose*.yaml"))
    assert len(files) == 3
    run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files)


def test_docker_compose_understands_it(tmp_path: Path) -> None:
    docker = program("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this docker has no compose")
    for name in ("compose.yaml", "bridge.env.example"):
        (tmp_path / name.removesuffix(".example")).write_text((DEPLOY / name).read_text())
    command = (docker, "compose", "-f", tmp_path / "compose.yaml", "config", "--format", "json")
    said = run(*command, env={"DOMAIN": "calls.example.com"})
    bridge = json.loads(said)["services"]["bridge"]
    assert bridge["environment"]["PUBLIC_URL"] == "https://calls.example.com"


def test_docker_compose_understands_the_nodes(tmp_path: Path) -> None:
    docker = program("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this docker has no compose")
    for name in ("compose.nodes.yaml", "bridge.env.example"):
        (tmp_path / name.removesuffix(".example")).write_text((DEPLOY / name).read_text())
    command = (docker, "compose", "-f", tmp_path / "compose.nodes.yaml", "config", "--format", "json")
    given = {"DOMAIN": "calls.example.com", "POSTGRES_PASSWORD": "sesame", "OBJECTS_SECRET": "secret"}
    services = json.loads(run(*command, env=given))["services"]
    for node in ("node1", "node2"):
        assert services[node]["environment"]["DATABASE_URL"] == "postgresql://bridge:sesame@postgres/bridge"
        assert [volume["source"] for volume in services[node]["volumes"]] == [node]


def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    unit = tmp_path / "media-stream-bridge.service"
    shipped = (DEPLOY / unit.name).read_text()
    assert "/opt/media-stream-bridge/bin/bridge" in shipped
    # The check looks whether the program is there; on the host it is.
    unit.write_text(shipped.replace("/opt/media-stream-bridge/bin/bridge", program("true")))
    assert run(analyze, "verify", unit) == ""
    run(analyze, "security", "--offline=true", f"--threshold={EXPOSED}", unit)


def test_nginx_takes_the_site(tmp_path: Path) -> None:
    nginx = program("nginx")
    main = proxies.shipped_nginx(tmp_path, free_port(), free_port(), 8080)
    assert "test is successful" in run(nginx, "-t", "-p", tmp_path, "-c", main)


@pytest.mark.parametrize("name", ["Caddyfile", "Caddyfile.nodes"])
async def test_caddy_takes_the_site_and_reads_it_as_it_is_written(name: str, tmp_path: Path) -> None:
    caddy = program("caddy")
    is_old = await proxies.caddy_is_old(caddy)
    main = proxies.shipped_caddyfile(tmp_path, free_port(), is_old, name)
    environment = proxies.caddy_environment(tmp_path, free_port(), 8080, 8081)
    command = (caddy, "validate", "--adapter", "caddyfile", "--config", str(main))
    assert "Valid configuration" in await asyncio.to_thread(run, *command, env=environment)
    if is_old:
        pytest.skip("but without stream_close_delay, which this Caddy does not know; it came with 2.7")


def test_the_blueprint_of_render_is_yaml_and_keeps_the_record_on_its_disk() -> None:
    python = Path(program("check-jsonschema")).with_name("python")
    code = "import json, sys, ruamel.yaml as yaml; print(json.dumps(yaml.YAML(typ='safe').load(open(sys.argv[1]))))"
    (service,) = json.loads(run(python, "-c", code, DEPLOY / "render.yaml"))["services"]
    values = {each["key"]: each.get("value") for each in service["envVars"]}
    assert values["DATA_DIR"] == service["disk"]["mountPath"]
