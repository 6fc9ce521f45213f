"""`bridge calls`, `bridge transcript` and `bridge delete`, against the doors of a record."""

import json
import os
import time
from datetime import UTC, datetime

import pytest

from bridge.cli import reading
from bridge.events import Figures, timestamp
from bridge.store.token import FILENAME
from tests.fakes import words
from tests.fakes.command import command
from tests.fakes.reading import TOKEN, doors, reader
from tests.fakes.terminal import Terminal

EVIL = "a\x1b[31mb\x9bc\r\n[bold]d\u202e"


@pytest.fixture
def utc(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
async def house(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    async with doors(tmp_path) as running:
        running.told = {"BRIDGE_READ_TOKENS": TOKEN, "PORT": running.origin.rpartition(":")[2]}
        yield running


def evil_start(call_id="CA1"):
    event = words.started(call_id)
    object.__setattr__(event, "data", event.data.model_copy(update={"from_": EVIL}))
    return event


def end_with_figures(call_id, seq):
    event = words.ended(call_id, seq)
    figures = Figures(
        talk_time={"caller": 1.0, "agent": 2.0},
        words={"caller": 3, "agent": 4},
        words_per_minute={"caller": 1.0, "agent": 1.0},
        talk_over=0.0,
        longest_silence=1.0,
        response_time={"caller": None, "agent": None},
    )
    object.__setattr__(event, "data", event.data.model_copy(update={"figures": figures}))
    return event


async def test_the_newest_calls_as_a_table(house):
    await house.store.append([words.started("CA1"), end_with_figures("CA1", 2)])
    await house.store.append([words.started("CA2")])
    told = await command("calls", **house.told)
    begun = reading._when({"started_at": timestamp(words.STARTED_AT)}, datetime.now(UTC))
    assert [line.split() for line in told.out.splitlines()] == [
        ["call", "begun", "from", "→", "to", "length", "words"],
        ["CA2", *begun.split(), "+15550001", "→", "+15550002", "live"],
        ["CA1", *begun.split(), "+15550001", "→", "+15550002", "1:00", "7"],
    ]
    assert (told.status, told.err) == (0, "")


async def test_where_and_with_what_token_may_stand_in_the_environment(house):
    """As the programs with `bridge.client` have it."""
    await house.store.append([words.started("CA1")])
    told = await command("calls", BRIDGE_URL=house.origin, BRIDGE_TOKEN=TOKEN)
    assert told.status == 0 and "CA1" in told.out


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({}, ""),
        ({"missing": None, "waiting": None, "backfilled": None}, ""),
        ({"words": 7, "missing": 0.0, "waiting": 0.0, "backfilled": 0.0}, "7"),
        ({"words": 7, "missing": 0.4, "waiting": 0.0, "backfilled": 0.4}, "7"),
        ({"words": 7, "missing": 0.0, "waiting": 0.0, "backfilled": 12.4}, "7, 12 s added later"),
        (
            {"words": 7, "missing": 4.0, "waiting": 3.0, "backfilled": 2.0},
            "7, 1 s missing, 3 s to come, 2 s added later",
        ),
        ({"missing": 4.0, "waiting": 0.0, "backfilled": 0.0}, "4 s missing"),
    ],
)
def test_what_has_no_words_is_told_with_their_number(told, shown):
    figures = {"words": {"caller": told.pop("words"), "agent": 0}} if "words" in told else None
    assert reading._words({"figures": figures, **told}) == shown


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ({"name": "a\x1b[31m.wav", "from": None, "to": None}, "a[31m.wav"),
        ({"name": "a.wav", "from": "ann", "to": None}, "ann → ?"),
        ({"name": None, "from": None, "to": None}, "? → ?"),
    ],
)
def test_a_recording_of_which_no_one_knows_who_called_has_its_name(call, shown):
    assert reading._parties(call) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(59.9, "0:59"), (60.0, "1:00"), (3725.6, "1:02:05")])
def test_a_length_is_cut_as_on_the_page(seconds, shown):
    assert reading._duration({"active": False, "duration": seconds}) == shown


@pytest.mark.parametrize(("now", "shown"), [(2026, "2027-01-15"), (2027, "Jan 15 08:00"), (2028, "2027-01-15")])
def test_when_a_call_began(utc, now, shown):
    moment = {"started_at": timestamp(words.STARTED_AT)}
    assert reading._when(moment, datetime(now, 6, 1, tzinfo=UTC)) == shown


async def test_calls_that_go_on(house):
    await house.store.append(words.conversation("CA1"))
    await house.store.append([words.started("CA2")])
    told = await command("calls", "--active", **house.told)
    assert "CA2" in told.out and "CA1" not in told.out


async def test_a_search_shows_what_was_said(house):
    await house.store.append([words.started("CA1"), words.final("CA1", 2, text="Where is my order?")])
    await house.store.append([words.started("CA2"), words.final("CA2", 2, text="Goodbye.")])
    told = await command("calls", "--search", "order", **house.told)
    assert "Where is my order?" in told.out and "CA2" not in told.out


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--from", "+15550001"), True),
        (("--from", "+49"), False),
        (("--to", "0002"), True),
        (("--carrier-call-id", "CA1"), True),
        (("--carrier-call-id", "CA"), False),
        (("--since", "2027-01-15T07:59"), True),
        (("--since", "2027-01-15T09:00+01:00"), True),
        (("--since", "2027-01-15T08:01"), False),
        (("--until", "2027-01-15T08:00Z"), False),
        (("--until", "2027-01-16"), True),
    ],
)
async def test_filters(house, utc, filters, found):
    await house.store.append([words.started("CA1")])
    told = await command("calls", *filters, **house.told)
    assert ("CA1" in told.out, told.err) == ((True, "") if found else (False, "No call matches.\n"))


async def test_a_bad_time_is_said(house):
    told = await command("calls", "--since", "yesterday", **house.told)
    assert told.status == 2
    assert "a time is written" in told.err


async def test_no_calls_yet(house):
    assert await command("calls", **house.told) == (0, "", "There are no calls yet.\n")
    assert await command("calls", "--json", **house.told) == (0, "", "")


async def test_calls_as_lines_of_json_over_many_pages(house):
    for number in range(205):
        await house.store.append([words.started(f"CA{number}")])
    told = await command("calls", "--json", "--limit", "203", **house.told)
    found = [json.loads(line) for line in told.out.splitlines()]
    assert [call["id"] for call in found] == [f"CA{204 - number}" for number in range(203)]
    assert found[0]["from"] == "+15550001"
    assert len((await command("calls", "--json", **house.told)).out.splitlines()) == 20


@pytest.mark.parametrize("how", [(), ("--json",), ("--search", "words")])
async def test_what_could_play_with_the_terminal_is_not_printed(house, how):
    await house.store.append([evil_start(), words.final(text=f"words {EVIL}")])
    told = await command("calls", *how, **house.told)
    assert told.status == 0
    assert all(character.isprintable() for line in told.out.split("\n") for character in line)
    assert ("a[31mbc [bold]d" in told.out) == ("--json" not in how)
    assert "[bold]d" in told.out


@pytest.mark.parametrize("form", ["txt", "json", "srt", "vtt"])
async def test_a_transcript_is_what_the_bridge_gives(house, form):
    await house.store.append([evil_start(), words.final(text="Grüße"), words.ended()])
    async with reader(house) as session, session.get(f"/calls/CA1/transcript.{form}") as response:
        given = await response.text()
    assert await command("transcript", "CA1", "--format", form, **house.told) == (0, given, "")
    assert "Grüße" in given


async def test_a_transcript_is_text_by_default(house):
    await house.store.append(words.conversation())
    told = await command("transcript", "CA1", **house.told)
    assert told == await command("transcript", "CA1", "--format", "txt", **house.told)


async def test_a_terminal_gets_no_escapes_of_a_transcript(house):
    await house.store.append([evil_start(), words.final(text="Hello."), words.ended()])
    octets = (await command("transcript", "CA1", "--format", "json", **house.told)).out
    async with Terminal("transcript", "CA1", "--format", "json", **house.told) as terminal:
        assert await terminal.ended() == 0
    assert "\x9b" in octets and "\u202e" in octets
    assert terminal.raw.rstrip() == octets.translate(dict.fromkeys((0x9B, 0x202E)))


def test_ids_are_cut_to_what_tells_them_apart():
    ids = ["CA0123456789abc", "CA0123456789abd", "CAffffffffffff", "CAffffffffffff--2", "CA1"]

    assert [reading.beginning(name, ids) for name in ids] == [*ids[:2], "CAffffffffffff", "CAffffffffffff-", "CA1"]
    assert reading.beginning(ids[0], ids[:1]) == "CA01234567"


async def test_a_narrow_terminal_shows_ids_that_commands_take(house):
    call_id = "CA" + "7" * 32
    await house.store.append([words.started(call_id), words.final(call_id, 2, text="One."), words.ended(call_id, 3)])
    async with Terminal("calls", **{**house.told, "COLUMNS": "60"}) as terminal:
        assert await terminal.ended() == 0
    assert "CA77777777  " in terminal.text and call_id not in terminal.text
    assert "One." in (await command("transcript", "CA77777777", **house.told)).out


async def test_a_call_is_meant_by_its_beginning_or_as_the_last_one(house):
    assert (await command("transcript", "last", **house.told)).err == "bridge: there are no calls yet\n"
    for call_id, text in (("CA12", "One."), ("CA13", "Two."), ("CA13--2", "Three.")):
        await house.store.append([words.started(call_id), words.final(call_id, 2, text=text), words.ended(call_id, 3)])
    meant = {"CA12": "One.", "CA1": None, "CA13": "Two.", "CA13-": "Three.", "last": "Three."}
    for written, text in meant.items():
        told = await command("transcript", written, **house.told)
        assert (
            (told.status == 0 and text in told.out)
            if text
            else told.err == ("bridge: CA1 begins the ids of several calls, write more of it: CA13--2, CA13, CA12\n")
        )
    assert (await command("delete", "CA12", "--yes", **house.told)).out == "CA12 is deleted.\n"


@pytest.mark.parametrize("arguments", [("transcript", "CA9"), ("delete", "CA9", "--yes"), ("watch", "CA9")])
async def test_there_is_no_such_call(house, arguments):
    assert await command(*arguments, **house.told) == (2, "", "bridge: there is no such call\n")


@pytest.mark.parametrize("arguments", [("transcript", "../x"), ("delete", "a/b"), ("watch", "\x1b[31m")])
async def test_what_cannot_be_a_call(house, arguments):
    told = await command(*arguments, **house.told)
    assert told.status == 2
    assert "a call's id is letters, digits, - and _" in told.err
    assert "\x1b" not in told.err


@pytest.mark.parametrize("arguments", [("calls",), ("transcript", "CA1"), ("delete", "CA1", "--yes"), ("watch",)])
async def test_troubles_are_one_sentence(house, tmp_path, arguments):
    nobody = await command(*arguments, "--url", "http://127.0.0.1:1", **house.told)
    assert (nobody.status, nobody.out) == (2, "")
    remedy = "start one with `bridge serve`, or say with --url where it is"
    assert nobody.err == f"bridge: no bridge answers at http://127.0.0.1:1: {remedy}\n"
    other = await command(*arguments, **{**house.told, "BRIDGE_READ_TOKENS": "another-token-for-readers"})
    assert other.status == 2
    assert "does not take this token" in other.err and "another-token" not in other.err
    without = await command(*arguments, PORT=house.told["PORT"], DATA_DIR=str(tmp_path / "none"))
    assert (without.status, without.out) == (2, "")
    assert without.err.startswith("bridge: no token in DATA_DIR, now ")
    assert not (tmp_path / "none").exists()


async def test_the_token_that_is_kept(house, tmp_path):
    (tmp_path / FILENAME).write_text(TOKEN)
    told = await command("calls", PORT=house.told["PORT"], DATA_DIR=str(tmp_path))
    assert told.status == 0


async def test_deleting(house):
    await house.store.append(words.conversation())
    asked = await command("delete", "CA1", **house.told)
    assert asked == (2, "", "bridge: there is no terminal to confirm the deletion on: use --yes\n")
    assert await command("delete", "CA1", "--yes", **house.told) == (0, "CA1 is deleted.\n", "")
    assert (await command("transcript", "CA1", **house.told)).err == "bridge: there is no such call\n"


async def test_a_call_that_goes_on_is_not_deleted(house):
    await house.store.append([words.started()])
    told = await command("delete", "CA1", "--yes", **house.told)
    assert told.status == 2
    assert "it can be deleted when it has ended" in told.err
    async with Terminal("delete", "CA1", **house.told) as terminal:
        assert await terminal.ended() == 2
    assert terminal.text == "bridge: CA1 is going on; it can be deleted when it has ended\r\n"


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1)])
async def test_a_person_is_asked_first(house, answer, status):
    await house.store.append([evil_start(), words.final(), words.ended()])
    async with Terminal("delete", "CA1", **house.told) as terminal:
        await terminal.shows("a[31mbc [bold]d → +15550002, 1:00)? [y/N]")
        assert "\x1b" not in terminal.raw
        terminal.type(answer)
        assert await terminal.ended() == status
    left = await command("calls", "--json", **house.told)
    assert bool(left.out) == bool(status)
    assert ("CA1 is deleted." in terminal.text) == (not status)
    assert "Traceback" not in terminal.text
