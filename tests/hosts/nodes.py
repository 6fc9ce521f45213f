"""What is done with the nodes of `compose.nodes.yaml`: `unshare --mount --net python -m tests.hosts.nodes …`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hosts.topology import DOMAIN, Topology, until

NODES = ("node1", "node2")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Acts:
    """Each says what it has shown."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology

    def read(self, node: str, path: str) -> Any:
        """Of one node, without Caddy."""
        status, text = self.topology.get(f"http://{node}:8080{path}")
        assert status == 200, (node, path, status, text)
        return json.loads(text)

    def calls(self, node: str) -> int:
        """That this node hears."""
        status, text = self.topology.get(f"http://{node}:8080/metrics")
        return int(float(text.partition("\nbridge_calls ")[2].partition("\n")[0])) if status == 200 else 0

    def ids(self, node: str) -> list[str]:
        return [call["id"] for call in self.read(node, "/calls?active=true")["calls"]]

    def begin(self) -> None:
        for name in ("postgres", "objects", "peers", *NODES, "caddy"):
            node = name in NODES
            self.topology.start_node(name) if node else getattr(self.topology, f"start_{name}")()
            say(f"{name}: well")

    def examine(self) -> None:
        """As the page on hosting says; only the public name is one that no one outside knows."""
        told = json.loads(self.topology.inside(NODES[0], "doctor --skip serving --json"))
        stands = {finding["check"]: finding["status"] for finding in told["findings"]}
        broken = [each for each in told["findings"] if each["status"] == "error" and "public_url" not in each["check"]]
        assert not broken, broken
        wanted = ("archive", "database.rights", "database.commit", "deepgram", "webhook", "disk", "settings")
        assert {stands[check] for check in wanted} == {"ok"}, stands
        say("the doctor finds a node well")

    def place_two_calls(self) -> tuple[str, str, str, Callable[[], tuple[int, str]], Callable[[], tuple[int, str]]]:
        """The node that hears the first and the other one, the first's id, and the ends of both."""
        first = self.topology.call()
        until(lambda: sum(map(self.calls, NODES)) == 1, "no node hears the call")
        owner = next(node for node in NODES if self.calls(node))
        (other,) = {*NODES} - {owner}
        (call_id,) = self.ids(other)
        until(
            lambda: "callee: " in self.topology.get(f"http://{other}:8080/calls/{call_id}/transcript.txt")[1],
            "nothing is read at the other node",
        )
        say(f"a call at {owner} is read at {other} while it goes on")
        second = self.topology.call()
        until(lambda: self.calls(other) == 1, "the balancer has not sent the second call to the node that had none")
        say(f"the balancer has sent the second call to {other}")
        return owner, other, call_id, first, second

    def replace(self, owner: str, other: str, call_id: str, first: Callable[[], tuple[int, str]]) -> None:
        """One node stops, and comes back."""
        assert self.topology.stop(owner) == 0
        answers = [self.topology.get(f"https://{DOMAIN}/calls")[0] for _ in range(6)]
        assert answers == [200] * 6, answers
        say(f"{owner} has stopped, and no request got lost")
        first()
        until(lambda: not self.read(other, f"/calls/{call_id}")["active"], "the call has no end")
        ended = self.read(other, f"/calls/{call_id}")
        assert ended["reason"] == "bridge_restarted", ended
        say(f"{other} has ended its call, of which no stream came back")
        self.topology.start_node(owner)
        until(lambda: self.topology.get(f"http://{owner}:8080/readyz")[0] == 200, "it is not ready again")
        say(f"{owner} is there again")

    def hear(self, call_id: str) -> None:
        """The recording, at both nodes, and one audit log that says so."""
        places = [f"http://{node}:8080/calls/{call_id}/audio.wav" for node in NODES]
        for place in places:
            command = (
                f"test $(curl -s -o /dev/null -w '%{{http_code}}' -H \"Authorization: Bearer $TOKEN\" {place}) = 200"
            )
            until(
                lambda command=command: (
                    self.topology.ask("client", command, TOKEN=self.topology.reader).returncode == 0
                ),
                "the recording is not heard",
            )
        say("the recording is heard at both nodes")
        logs = [self.read(node, f"/audit?action=hear&call_id={call_id}")["entries"] for node in NODES]
        assert logs[0] == logs[1] and sum(entry["status"] == 200 for entry in logs[0]) == 2, logs
        say("both nodes have one audit log")

    def end(self) -> None:
        assert [self.topology.stop(node) for node in NODES] == [0, 0]
        left = [path for node in NODES for path in (self.topology.folder / node).rglob("*") if path.suffix != ".json"]
        assert {path.name for path in left if path.is_file()} <= {"bridge.lock"}, left
        say("nothing is left on the nodes' disks")


def main() -> None:
    folder, compose, postgres, weed, python = sys.argv[1:]
    topology = Topology(Path(folder), json.loads(Path(compose).read_text()), Path(postgres), Path(weed), python)
    acts = Acts(topology)
    topology.lay_network()
    acts.begin()
    acts.examine()
    owner, other, call_id, first, second = acts.place_two_calls()
    (later,) = {*acts.ids(other)} - {call_id}
    acts.replace(owner, other, call_id, first)
    status, said = second()
    assert status == 0, said
    acts.hear(later)
    acts.end()


if __name__ == "__main__":
    main()
