"""The dashboard, the alerts and the page about them, held against a real scrape; and promtool's own checks.

promtool is not everywhere: `./scripts/alerts` fetches it, and names it in PROMTOOL.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fakes.scraping import scrape_after_a_call

ROOT = Path(__file__).parent.parent.parent
MONITORING = ROOT / "scripts" / "monitoring"
ALERTS = (MONITORING / "alerts.yml").read_text()
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PAGE = (ROOT / "bridge" / "docs" / "operations.md").read_text()

FOREIGN = {"up", "probe_success", "probe_ssl_earliest_cert_expiry"}
"""Prometheus' own, and the blackbox exporter's."""

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
by_promtool = pytest.mark.skipif(not PROMTOOL, reason="there is no promtool; ./scripts/alerts fetches it")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scrape(tmp_path_factory):
    """As Prometheus gets it."""
    folder = tmp_path_factory.mktemp("data")
    archive = (folder / "bucket").as_uri()
    text, _ = await scrape_after_a_call(folder, bridge_recordings=True, bridge_audio_url=archive)
    return text


def families(text):
    """Type and help by the name that the page has for it."""
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    return {name: (kind, helps[name]) for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)}


def names_in(expression):
    """Every metric that a query asks for."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:bridge|process|probe)_\w+|\bup\b", bare))


def queries():
    """Of alerts and dashboard."""
    yield from re.findall(r"expr: (?!>)(.+)", ALERTS)
    yield from re.findall(r"expr: >-\n((?: {10}.+\n)+)", ALERTS)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    yield from (each["definition"] for each in DASHBOARD["templating"]["list"] if "definition" in each)


def test_every_metric_that_is_asked_for_exists(scrape):
    there = families(scrape)
    series = {
        name + end for name, (kind, _) in there.items() if kind == "histogram" for end in ("_bucket", "_sum", "_count")
    }
    asked = {name for query in queries() for name in names_in(query)}

    assert len(asked) > 40
    assert asked - there.keys() - series - FOREIGN == set()


def test_every_alert_has_a_test_and_a_heading():
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    tested = re.findall(r"- name: (\w+)", (MONITORING / "alerts_test.yml").read_text())

    assert len(alerts) == len(set(alerts)) == ALERTS.count("summary:")
    assert tested == alerts
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == alerts


def test_the_page_has_every_metric_as_the_scrape_has_it(scrape):
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \| [a-z, ]*\| (.+) \|$", PAGE, re.MULTILINE)
    told = families(scrape)

    assert {name: (kind, what) for name, kind, what in rows if told.get(name) != (kind, what)} == {}
    assert [name for name in told.keys() - {row[0] for row in rows} if not name.startswith("bridge_ended_calls_")] == []


def test_panels_lie_side_by_side():
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def promtool(*arguments, given=None):
    done = subprocess.run(
        [PROMTOOL, *arguments], input=given, capture_output=True, text=True, cwd=MONITORING, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@by_promtool
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_promtool_takes_the_files(arguments):
    code, said = promtool(*arguments)

    assert code == 0, said


@by_promtool
def test_promtool_finds_nothing_wrong_with_the_scrape(scrape):
    assert promtool("check", "metrics", given=scrape) == (0, "")


@by_promtool
def test_promtool_reads_the_queries_of_the_dashboard(tmp_path):
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    code, said = promtool("check", "rules", str(file))

    assert code == 0, said
