"""`compose.nodes.yaml` without Docker: each service with an address, a list of hosts and a disk of its own, as far as
the kernel's namespaces go, and the program that its image has. Run it by `unshare --mount --net`, as root.

What is another's than the file says: Caddy is Debian's, PostgreSQL is the system's, and stands in for its image's
entrypoint; the certificate is of Caddy's own authority, as for any name that ends with `.localhost`.
"""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "scripts" / "deploy"
SITE = sysconfig.get_path("purelib")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 60.0

DOMAIN = "calls.localhost"
DOTENV = {"DOMAIN": DOMAIN, "POSTGRES_PASSWORD": "a1b2c3d4e5f6", "OBJECTS_SECRET": "f6e5d4c3b2a1"}
READER = "a-token-for-readers-of-all"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
BRIDGE_ENV = {
    "DEEPGRAM_API_KEY": "any",
    "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
    "WEBHOOK_URL": "http://receiver:8082/webhook",
    "WEBHOOK_SECRET": SECRET,
    "BRIDGE_READ_TOKENS": READER,
    "BRIDGE_DIAL": "+15550100",
    # Not of the example: what stands in for Deepgram, and something to put into the object store.
    "DEEPGRAM_URL": "ws://deepgram:8081",
    "BRIDGE_RECORDINGS": "true",
}
USER = "10001"  # the image's
_PEERS = ("deepgram", "receiver", "client")


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=PATIENCE)


class Topology:
    """`compose`: the file, as JSON has it, its variables not filled in yet."""

    def __init__(self, folder: Path, compose: Mapping[str, Any], postgres: Path, weed: Path, python: str) -> None:
        filled = re.sub(r"\$\{(\w+)[^}]*\}", lambda found: DOTENV[found[1]], json.dumps(compose))
        self.services: dict[str, Any] = json.loads(filled)["services"]
        self.folder = folder
        self.reader = READER
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._postgres, self._weed = postgres, weed
        self._python = python
        atexit.register(self.stop_all)

    def lay_network(self) -> None:
        """A bridge, and a name for each service."""
        run("mount", "--make-rprivate", "/")
        Path("/run/netns").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "none", "/run/netns")
        for line in (
            "link set lo up",
            "link add br0 type bridge",
            "address add 10.77.0.1/24 dev br0",
            "link set br0 up",
        ):
            run("ip", *line.split())
        hosts = ["127.0.0.1 localhost"]
        for number, name in enumerate([*self.services, *_PEERS], 10):
            for line in (
                f"netns add {name}",
                f"link add v{number} type veth peer name eth0 netns {name}",
                f"link set v{number} master br0 up",
                f"-n {name} address add 10.77.0.{number}/24 dev eth0",
                f"-n {name} link set eth0 up",
                f"-n {name} link set lo up",
                f"-n {name} route add default via 10.77.0.1",
            ):
                run("ip", *line.split())
            hosts.append(f"10.77.0.{number} {name}" + (f" {DOMAIN}" if name == "caddy" else ""))
        (self.folder / "hosts").write_text("\n".join([*hosts, ""]))

    def within(self, name: str, script: str) -> list[str]:
        """A command that does it in a service's place."""
        begin = f"mount --bind {self.folder}/hosts /etc/hosts; "
        return ["ip", "netns", "exec", name, "unshare", "--mount", "sh", "-ec", begin + script]

    def start(self, name: str, script: str, environment: Mapping[str, object]) -> None:
        given = {"PATH": PATH, "HOME": str(self.folder), **{key: str(value) for key, value in environment.items()}}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.within(name, script), env=given, stdout=log, stderr=log, start_new_session=True
            )

    def ask(self, name: str, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": f"{PATH}:{self._postgres}", "PYTHONPATH": f"{TOP}:{SITE}", "COLUMNS": "200", **environment}
        command = self.within(name, script)
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)

    def inside(self, name: str, command: str) -> str:
        """What a command of the bridge says in a node's container."""
        begin = ("nsenter", "-t", str(self.processes[name].pid), "--net", "--mount", "--wdns=/srv/bridge")
        given = {"PATH": PATH, **{key: str(value) for key, value in self.of_node(name).items()}}
        words = [*begin, *_as_no_one(), self._python, "-m", "bridge", *command.split()]
        done = subprocess.run(words, env=given, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        return done.stdout

    def stop(self, name: str) -> int:
        """As Docker does; its status."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        grace = int(self.services.get(name, {}).get("stop_grace_period", "10s").removesuffix("s"))
        try:
            return process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def stop_all(self) -> None:
        for name in list(self.processes)[::-1]:
            self.stop(name)

    def until_well(self, name: str, script: str) -> None:
        """Until its health check passes, as that is written."""

        def is_well() -> bool:
            assert self.processes[name].poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]
            return self.ask(name, script).returncode == 0

        until(is_well, f"{name} is not well")

    def checked(self, name: str) -> str:
        kind, *command = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return " ".join(command)

    def start_postgres(self) -> None:
        """As the image's entrypoint does with these variables."""
        given, data = self.services["postgres"]["environment"], self.folder / "postgres"
        (self.folder / "password").write_text(given["POSTGRES_PASSWORD"])
        data.mkdir()
        for path in (data, self.folder / "password"):
            shutil.chown(path, "postgres")
        as_user = "setpriv --reuid=postgres --regid=postgres --init-groups"
        made = self.ask(
            "postgres",
            f"cd /; {as_user} initdb -D {data} -U {given['POSTGRES_USER']} --pwfile={self.folder}/password "
            f"--auth-host=scram-sha-256 --auth-local=trust {given['POSTGRES_INITDB_ARGS']}",
        )
        assert made.returncode == 0, made.stderr
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\n")
        server = f"{self._postgres}/postgres -D {data} -c listen_addresses='*' -k {data}"
        self.start("postgres", f"cd /; exec {as_user} {server}", {})
        self.until_well("postgres", self.checked("postgres"))
        self.ask("postgres", f"createdb -h {data} -U {given['POSTGRES_USER']} {given['POSTGRES_DB']}")

    def start_objects(self) -> None:
        data, service = self.folder / "objects", self.services["objects"]
        data.mkdir()
        command = " ".join([str(self._weed), *service["command"]]).replace("=/data", f"={data}")
        self.start("objects", f"cd {data}; exec {command}", service["environment"])
        self.until_well("objects", self.checked("objects"))

    def start_peers(self) -> None:
        """What stands in for Deepgram, and for the consumer of the webhook."""
        python, environment = f"exec {self._python} -m bridge", {"PYTHONPATH": f"{TOP}:{SITE}"}
        script = f"{TOP}/bridge/local/sample/script.json"
        self.start("deepgram", f"{python} deepgram --host 0.0.0.0 --port 8081 --script {script}", environment)
        self.start("receiver", f"{python} receive --host 0.0.0.0 --port 8082 --secret {SECRET}", environment)

    def of_node(self, name: str) -> dict[str, Any]:
        """Its environment: the image's, `bridge.env`'s, the file's."""
        image = {"DATA_DIR": "/srv/data", "SQLITE_TMPDIR": "/srv/data", "HOST": "0.0.0.0", "PORT": "8080"}
        code = {"PYTHONPATH": "/srv/bridge:/srv/packages", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**image, **BRIDGE_ENV, **self.services[name]["environment"], **code}

    def start_node(self, name: str) -> None:
        """With a disk that cannot be written but for its volume, as no one's user, without a capability."""
        service, data = self.services[name], self.folder / name
        assert service["read_only"] and service["tmpfs"] == ["/tmp"] and service["cap_drop"] == ["ALL"]
        data.mkdir(exist_ok=True)
        os.chown(data, int(USER), int(USER))
        mounts = (
            "mount -t tmpfs none /srv; mkdir /srv/bridge /srv/packages /srv/data; "
            f"mount --bind {TOP} /srv/bridge; mount --bind {SITE} /srv/packages; mount --bind {data} /srv/data; "
            "mount -o remount,bind,ro /srv/bridge; mount -o remount,ro /srv; mount -o remount,bind,ro /; "
            "mount -t tmpfs none /tmp; cd /srv/bridge; "
        )
        user = " ".join(_as_no_one())
        self.start(name, f"{mounts} exec {user} {self._python} -m bridge serve", self.of_node(name))
        self.until_well(name, self._image_check())

    def _image_check(self) -> str:
        dockerfile = (TOP / "Dockerfile").read_text().replace("\\\n", "")
        _, *arguments = json.loads(re.findall(r"(?m)^HEALTHCHECK .*?CMD (\[.+\])$", dockerfile)[0])
        return "PORT=8080 " + " ".join([self._python, *(f'"{part}"' for part in arguments)])

    def start_caddy(self) -> None:
        """With the file as it is, but for a line that Debian's Caddy does not know."""
        known = re.sub(r"(?m)^\s*stream_close_delay .*\n", "", (DEPLOY / "Caddyfile.nodes").read_text())
        (self.folder / "Caddyfile").write_text(known)
        places = {"XDG_DATA_HOME": self.folder / "certificates", "XDG_CONFIG_HOME": self.folder / "configuration"}
        command = f"exec caddy run --config {self.folder}/Caddyfile --adapter caddyfile"
        self.start("caddy", command, {**self.services["caddy"]["environment"], **places})
        until(lambda: self.get(f"https://{DOMAIN}/healthz")[0] == 200, "Caddy does not answer for the nodes")

    @property
    def authority(self) -> Path:
        """Of Caddy's certificate."""
        return self.folder / "certificates" / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def get(self, url: str) -> tuple[int, str]:
        """As a reader outside: the status, and what is answered."""
        where = re.findall(rf"(?m)^(\S+) caddy {DOMAIN}$", (self.folder / "hosts").read_text())[0]
        told = f"--cacert {self.authority} -H 'Authorization: Bearer {READER}' --resolve {DOMAIN}:443:{where}"
        answer = self.ask("client", f"curl -s -m 20 {told} -w '\\n%{{http_code}}' {url} || true").stdout
        text, _, status = answer.rpartition("\n")
        return int(status or 0), text

    def call(self) -> Callable[[], tuple[int, str]]:
        """A call from outside begins; what is returned waits for its end: its status, and what was said of it."""
        code = {"PYTHONPATH": f"{TOP}:{SITE}", "TWILIO_AUTH_TOKEN": BRIDGE_ENV["TWILIO_AUTH_TOKEN"]}
        given = {"PATH": PATH, "SSL_CERT_FILE": str(self.authority), **code}
        command = self.within(
            "client", f"cd /; exec {self._python} -m bridge call --voice https://{DOMAIN}/twiml/voice"
        )
        process = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def ended() -> tuple[int, str]:
            said, _ = process.communicate(timeout=3 * PATIENCE)
            return process.returncode, said

        return ended


def _as_no_one() -> list[str]:
    """As the image's user, without a capability, as the file has it."""
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    return [*user, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


def until(condition: Callable[[], bool], complaint: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, complaint
        time.sleep(0.2)
