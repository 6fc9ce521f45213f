"""The files for hosts agree with the settings, with the Dockerfile and with each other."""

import asyncio
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bridge import app, config
from bridge.config import Settings
from tests.fakes.running import bridge, settings
from tests.fakes.s3 import S3

TOP = Path(__file__).parent.parent.parent
DEPLOY = TOP / "scripts" / "deploy"
DOCKERFILE = (TOP / "Dockerfile").read_text().replace("\\\n", "")
FLY = tomllib.loads((DEPLOY / "fly.toml").read_text())


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("compose.yaml", r"stop_grace_period: (\d+)s"),
        ("compose.nodes.yaml", r"stop_grace_period: (\d+)s"),
        ("media-stream-bridge.service", r"(?m)^TimeoutStopSec=(\d+)$"),
        ("fly.toml", r"(?m)^kill_timeout = (\d+)$"),
        ("render.yaml", r"maxShutdownDelaySeconds: (\d+)"),
    ],
)
def test_a_host_waits_longer_than_the_bridge_takes_to_stop(name, pattern):
    waits = re.findall(pattern, (DEPLOY / name).read_text())

    assert waits and min(map(int, waits)) > Settings().bridge_stop_timeout


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("compose.yaml", r"(?m)^      ([A-Z_]+): "),
        ("compose.nodes.yaml", r"(?m)^    (?!AWS_)([A-Z_]+): "),
        ("bridge.env.example", r"(?m)^([A-Z_]+)="),
        ("media-stream-bridge.service", r"(?:^Environment=| )([A-Z_]+)=(?!\n)"),
        ("fly.toml", r"(?m)^([A-Z_]+) = "),
        ("render.yaml", r"key: (\S+)"),
    ],
)
def test_what_a_file_sets_is_a_setting(name, pattern):
    others = {"DOMAIN", "BRIDGE", "PYTHON_VERSION"}  # of Caddy and of Render
    named = set(re.findall(pattern, (DEPLOY / name).read_text())) - others

    assert named and named <= {field.upper() for field in Settings.model_fields}


def test_what_the_image_is_built_from_is_let_in():
    let_in = {line.removeprefix("!") for line in (TOP / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {name for line in re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", DOCKERFILE) for name in line.split()}

    assert copied == let_in
    assert [name for name in copied if not (TOP / name).exists()] == []


def test_what_is_laid_over_the_compose_file_is_of_its_services_and_extras():
    service, file = r"(?m)^  (\w+):$", (DEPLOY / "compose.local.yaml").read_text()
    (extra,) = re.findall(r'EXTRAS: "\[(\w+)\]"', file)

    assert set(re.findall(service, file)) <= set(re.findall(service, (DEPLOY / "compose.yaml").read_text()))
    assert f"\n{extra} = [" in (TOP / "pyproject.toml").read_text() and "ARG EXTRAS=" in DOCKERFILE


NODES = (DEPLOY / "compose.nodes.yaml").read_text()


def test_the_nodes_are_given_what_their_files_ask_for():
    asked = set(re.findall(r"\$\{([A-Z_]+)", NODES))
    (extras,) = re.findall(r'EXTRAS: "\[(.+)\]"', NODES)

    assert asked == set(re.findall(r"(?m)^([A-Z_]+)=", (DEPLOY / "nodes.env.example").read_text()))
    assert all(f"\n{extra} = [" in (TOP / "pyproject.toml").read_text() for extra in extras.split(","))


def test_every_node_has_a_folder_of_its_own_and_caddy_knows_them_all():
    services = re.findall(r"(?m)^  (node\d+):$\n    <<: \*node\n    volumes:\n      - (\w+):/data$", NODES)
    declared = re.findall(r"(?m)^  (\w+):$", NODES.partition("\nvolumes:\n")[2])
    (places,) = re.findall(r"NODES: (.+)", NODES)

    assert [name for name, _ in services] == [volume for _, volume in services] == ["node1", "node2"]
    assert set(re.findall(r"(?m)^      - (\w+):/", NODES)) == set(declared)
    assert places.split() == [f"{name}:8080" for name, _ in services] and 'PORT: "8080"' in NODES
    assert {"health_uri /readyz", "lb_policy least_conn"} <= {
        line.strip() for line in (DEPLOY / "Caddyfile.nodes").read_text().splitlines()
    }


def block(name, indent=2):
    """The lines of the file that are below this one."""
    head = " " * indent + name + "\n"
    lines = NODES[NODES.index("\n" + head) + 1 + len(head) :].splitlines()
    deeper = [not line.strip() or line.startswith(" " * (indent + 1)) for line in lines]
    return "\n".join(lines[: deeper.index(False)] if False in deeper else lines)


def environment(lines):
    """What is set there, as the container gets it where `.env` has the name of each variable as its value."""
    (found,) = re.findall(r"environment:\n((?: +[A-Z_]+: .+\n| +#.*\n)+)", f"{lines}\n")
    given = dict(re.findall(r"(?m)^ +([A-Z_]+): (.+)$", found))
    return {name: re.sub(r"\$\{(\w+)[^}]*\}", r"\1", value).strip('"') for name, value in given.items()}


OF_A_NODE = environment(block("x-node: &node", 0))
OF_CADDY, OF_POSTGRES, OF_OBJECTS = (environment(block(f"{name}:")) for name in ("caddy", "postgres", "objects"))


def test_a_node_starts_with_what_it_is_given():
    example = re.findall(r"(?m)^([A-Z_]+)=", (DEPLOY / "bridge.env.example").read_text())
    filled = {
        "DEEPGRAM_API_KEY": "key",
        "TWILIO_ACCOUNT_SID": f"AC{'0' * 32}",
        "TWILIO_AUTH_TOKEN": "0" * 32,
        "WEBHOOK_URL": "https://app.example.com/calls",
        "WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "BRIDGE_READ_TOKENS": "a-token-for-readers",
        "BRIDGE_DIAL": "+15550100",
    }
    given = OF_A_NODE | {"PUBLIC_URL": OF_A_NODE["PUBLIC_URL"].lower()}
    loaded = config.load({**filled, **{name: value for name, value in given.items() if not name.startswith("AWS_")}})

    assert set(example) == set(filled)
    assert {name for name in given if name.startswith("AWS_")} == set(S3().environment), "the tests' S3 is told as much"
    assert (loaded.port, loaded.public_url, loaded.bridge_audio_url) == (
        8080,
        "https://domain",
        "s3://recordings/calls",
    )


def test_the_nodes_are_let_in_where_they_are_sent_to():
    place = urlsplit(OF_A_NODE["DATABASE_URL"])
    assert (place.username, place.password, place.path) == (
        OF_POSTGRES["POSTGRES_USER"],
        OF_POSTGRES["POSTGRES_PASSWORD"],
        f"/{OF_POSTGRES['POSTGRES_DB']}",
    )
    assert {name: OF_A_NODE[name] for name in OF_OBJECTS} == OF_OBJECTS and len(OF_OBJECTS) == 2
    assert f'"-bucket={urlsplit(OF_A_NODE["BRIDGE_AUDIO_URL"]).netloc}"' in block("objects:")
    services = set(re.findall(r"(?m)^  (\w+):$", NODES.partition("\nservices:\n")[2].partition("\nvolumes:\n")[0]))
    waited_for = re.findall(r"(?m)^    (\w+):\n      condition: service_healthy$", NODES)
    assert {place.hostname, urlsplit(OF_A_NODE["AWS_ENDPOINT_URL"]).hostname} == set(waited_for) <= services
    for name in waited_for:
        assert "\n    healthcheck:\n" in block(f"{name}:"), "what is waited for says that it is well"


def test_what_is_asked_whether_it_is_well_answers_there():
    """A node by the image's check, and by Caddy; the object store where the nodes ask it."""
    routes = {route.resource.canonical for route in app.build(Settings()).router.routes() if route.resource}
    (image,) = re.findall(r"HEALTHCHECK .*'GET', '([^']+)'", DOCKERFILE)
    (caddy,) = re.findall(r"(?m)^\s*health_uri (\S+)$", (DEPLOY / "Caddyfile.nodes").read_text())
    (objects,) = re.findall(r'"(http://\S+)"\]', block("objects:"))

    assert (image, caddy) == ("/healthz", "/readyz") and {image, caddy} <= routes
    assert objects == f"{OF_A_NODE['AWS_ENDPOINT_URL']}/healthz"
    assert f'"-U", "{OF_POSTGRES["POSTGRES_USER"]}"' in block("postgres:")


@pytest.mark.parametrize(
    ("compose", "caddyfile"), [("compose.yaml", "Caddyfile"), ("compose.nodes.yaml", "Caddyfile.nodes")]
)
def test_caddy_is_given_its_file_and_what_that_asks_for(compose, caddyfile):
    text = (DEPLOY / compose).read_text()
    asked = set(re.findall(r"\{\$(\w+)", (DEPLOY / caddyfile).read_text()))
    given = re.search(r"image: caddy:\d+\n(?:.+\n)+?    environment:\n((?:      .+\n)+)", text)

    assert f"      - ./{caddyfile}:/etc/caddy/Caddyfile:ro\n" in text
    assert given and set(re.findall(r"(?m)^      (\w+):", given[1])) == asked


def test_what_a_reader_makes_there_is_not_committed():
    assert {"/scripts/deploy/.env", "/scripts/deploy/bridge.env"} <= set((TOP / ".gitignore").read_text().split())


def test_fly_builds_a_stage_that_there_is_and_mounts_the_record():
    assert f" AS {FLY['build']['build-target']}\n" in DOCKERFILE
    assert [f"DATA_DIR={mount['destination']}" in DOCKERFILE for mount in FLY["mounts"]] == [True]
    assert FLY["env"]["PORT"] == str(FLY["http_service"]["internal_port"])


async def test_the_health_check_of_the_image_tells_a_bridge_from_none(tmp_path):
    _, *arguments = json.loads(re.findall(r"(?m)^HEALTHCHECK .*?CMD (\[.+\])$", DOCKERFILE)[0])

    async def check(port):
        environment = {**os.environ, "PORT": port, "HTTP_PROXY": "http://127.0.0.1:1"}
        pipe = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment, stderr=pipe)
        return await process.wait()

    async with bridge(settings(tmp_path, "ws://127.0.0.1:9")) as origin:
        assert await check(origin.rpartition(":")[2]) == 0
    assert await check(origin.rpartition(":")[2]) == 1
