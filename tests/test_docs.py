"""The README and the pages behind it."""

import re
from pathlib import Path

import pytest

from bridge.config import Settings
from bridge.delivery.lane import RetryPolicy
from bridge.events import EVENT_TYPES
from bridge.outbox import Batching
from scripts import docs, events

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *(ROOT / "bridge").glob("*.md"), *(ROOT / "bridge" / "docs").glob("*.md")]


def anchors(page):
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_headings(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text())
    targets = [(page.parent / path if path else page, anchor) for path, anchor in links]

    assert [anchor for target, anchor in targets if anchor not in anchors(target)] == []


def test_every_page_is_linked_from_the_readme():
    readme = README.read_text()
    behind = [page.name for page in PAGES if page.parent.name == "docs"]

    assert [name for name in behind if f"bridge/docs/{name}" not in readme] == []


def test_the_readme_is_read_in_ten_minutes():
    assert len(README.read_text().split()) <= 3300


def test_the_reference_is_as_the_code_is():
    assert docs.stale() == [], "run ./scripts/docs --write"


def test_every_setting_has_a_row_and_every_type_a_heading():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (docs.DOCS / "settings.md").read_text(), re.MULTILINE)
    headings = re.findall(r"^## ([a-z_.]+)$", (docs.DOCS / "events.md").read_text(), re.MULTILINE)

    assert rows == [name.upper() for name in Settings.model_fields]
    assert headings == list(EVENT_TYPES)


def test_every_type_has_a_row_in_the_readme():
    rows = re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \| ", README.read_text(), re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`(.*?)`", row)} == EVENT_TYPES.keys()


def test_the_examples_are_of_the_types_that_there_are():
    assert events.SAID.keys() == EVENT_TYPES.keys()
    assert [bool(seq) for seq, _, _ in events.SAID.values()] == [EVENT_TYPES[name].durable for name in events.SAID]


def test_json_is_packed_into_lines_that_are_read():
    words = [{"word": "where", "start": 10.18, "end": 10.4}, {"word": "is", "start": 10.4, "end": 10.62}] * 2
    text = docs.packed({"type": "a", "data": {"text": "w" * 60, "words": words, "empty": []}})

    assert docs.json.loads(text)["data"]["words"] == words
    assert max(map(len, text.splitlines())) <= docs.WIDTH


def test_the_keys_are_those_that_the_page_lists():
    keys = re.findall(r'^  \["(.+?)", "(.+?)"\],$', (ROOT / "bridge/web/page/keys.js").read_text(), re.MULTILINE)
    rows = re.findall(r"^\| `(.+?)` \| (.+?)(?:: \[.*)? \|$", (docs.DOCS / "live.md").read_text(), re.MULTILINE)

    assert len(keys) > 5
    assert rows == keys


def test_the_pictures_are_small():
    pictures = sorted(docs.DOCS.glob("*.png"))

    assert [path.name for path in pictures] == ["page-ended.png", "page-live.png"]
    assert max(path.stat().st_size for path in pictures) < 150_000


def test_the_page_of_the_webhook_has_the_retries_that_there_are():
    said = " ".join((docs.DOCS / "webhook.md").read_text().split())
    policy, batching = RetryPolicy(), Batching()
    *first, last = (f"{seconds:g}" for seconds in policy.live)
    tries = len(policy.live) + len(policy.after_call)

    assert f"tries again after {', '.join(first)} and {last} seconds, then every {last}" in said
    assert (policy.after_call[-1], policy.give_up_after, policy.jitter) == (4 * 3600, 3 * 24 * 3600, 1 / 5)
    assert f"After three days and {tries} tries" in said
    assert f"at most {batching.max_events} events and {batching.max_octets // 1000} kB" in said
