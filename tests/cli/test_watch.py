"""`bridge watch`, as a person sees it and as a file gets it: live calls, cut lines, ends and Ctrl-C."""

import asyncio
import os
import sys

import pytest

from bridge.events import DtmfReceived, Overlap
from bridge.store.token import FILENAME
from tests.fakes import frames, words
from tests.fakes.command import command
from tests.fakes.reading import TOKEN, doors
from tests.fakes.running import SCRIPT, bridge, deepgram, settings
from tests.fakes.talk import play
from tests.fakes.terminal import ROOT, Terminal
from tests.fakes.waiting import until
from tests.fakes.wire import Wire

LOST = "the connection is lost; reconnecting …"


@pytest.fixture
async def house(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)
    async with doors(tmp_path) as running, Wire(running.origin) as wire:
        running.wire = wire
        running.told = {"BRIDGE_READ_TOKENS": TOKEN, "PORT": wire.origin.rpartition(":")[2]}
        yield running


@pytest.fixture
def watching(house):
    """A `bridge watch` in this process that follows when it is handed over."""
    tasks = []

    async def begin(*arguments, followers=1):
        tasks.append(asyncio.ensure_future(command("watch", *arguments, **house.told)))
        await until(lambda: house.live.followers == followers or tasks[-1].done())
        return tasks[-1]

    return begin


def lines(told):
    assert told.status == 0, told
    return told.out.splitlines()


async def test_a_call_in_plain_lines_up_to_its_end(house, watching):
    await house.store.append([words.started(), words.final(seq=2, text="Hello?")])
    watch = await watching("CA1")
    await house.store.append([], [words.interim(segment_id="s3", track="outbound", start=3.0, text="goo")])
    await house.store.append([words.final(seq=3, track="outbound", text="Good morning.")])
    await house.store.append([words.event("CA1", 4, DtmfReceived(track="inbound", digit="7", at=4.0))])
    over = [Overlap(segment_id="s3", start=5.0, end=6.2)]
    await house.store.append([words.final(seq=5, text="No, wait.", overlaps=over), words.ended(seq=6)])
    told = await watch
    assert lines(told) == [
        "call CA1, inbound, from +15550001 to +15550002: caller and agent",
        "00:02.0  caller   Hello?",
        "00:03.0  agent    Good morning.",
        "00:04.0  key 7 pressed (caller)",
        "00:05.0  caller   No, wait.  (1.2 s over the other)",
        "01:00.0  call ended: stopped",
    ]
    assert told.err == ""


async def test_a_call_that_has_ended_is_told_whole(house):
    await house.store.append(words.conversation(finals=3))
    assert len(lines(await command("watch", "CA1", **house.told))) == 3


async def test_the_newest_call_that_goes_on(house, watching):
    await house.store.append([words.started("CA1")])
    await house.store.append([words.started("CA2")])
    await house.store.append(words.conversation("CA3"))
    watch = await watching()
    await house.store.append([words.ended("CA2", 2)])
    assert lines(await watch)[0].startswith("call CA2,")


async def test_the_next_call_is_waited_for(house, watching):
    watch = await watching()
    await house.store.append(words.conversation("CA7"))
    told = await watch
    assert lines(told)[0].startswith("call CA7,")
    assert told.err == "no call goes on; waiting for the next one …\n"


async def test_cut_in_mid_call_nothing_is_missed_or_repeated(house, watching):
    await house.store.append([words.started()])
    watch = await watching("CA1")
    for seq in range(2, 40):
        await house.store.append([words.final(seq=seq)])
        if seq in (10, 20):
            house.wire.down = True
            house.wire.cut()
            await until(lambda: house.wire.turned_away)
        if seq in (15, 25):
            house.wire.down, house.wire.turned_away, before = False, 0, house.wire.connections
            await until(lambda before=before: house.wire.connections > before)
    await house.store.append([words.ended(seq=40)])
    told = await watch
    assert [line[18:] for line in lines(told)[1:-1]] == [" ".join(f"words of {seq}" for seq in range(2, 40))]
    said = told.err.splitlines()
    assert said[::2] == [LOST] * 2
    assert all(line.startswith("back after ") and line.endswith("; nothing was missed") for line in said[1::2])


async def test_all_calls_each_line_with_its_own(house):
    await house.store.append([words.started("CA0001")])
    async with Terminal("watch", "--all", **house.told) as terminal:
        await terminal.shows("call CA0001,")
        await house.store.append([words.started("CA0002")])
        await house.store.append([words.final("CA0001", 2)])
        await terminal.shows("0001  00:02.0  caller   words of 2")
        house.wire.cut()
        await terminal.shows(LOST)
        await house.store.append([words.final("CA0002", 2, text="Hi.")])
        await terminal.shows("0002  00:02.0  caller   Hi.")
        await house.store.append([words.ended("CA0001", 3)])
        await house.store.append([words.ended("CA0002", 3)])
        await terminal.shows("0002  01:00.0  call ended: stopped")
        terminal.interrupt()
        assert await terminal.ended() == 0
    assert terminal.text.count("call CA0001,") == terminal.text.count("call CA0002,") == 1
    assert "nothing was missed" in terminal.text
    assert "Traceback" not in terminal.text and "Aborted" not in terminal.text


async def test_who_comes_back_is_not_told_twice_which_calls_go_on(house):
    await house.store.append([words.started("CA0001")])
    async with Terminal("watch", "--all", **house.told) as terminal:
        await terminal.shows("call CA0001,")
        house.wire.cut()
        await terminal.shows("nothing was missed")
        await house.store.append([words.started("CA0002")])
        await terminal.shows("call CA0002,")
    assert terminal.text.count("call CA0001,") == 1


async def test_a_call_on_a_terminal(house):
    await house.store.append([words.started(), words.final(seq=2, text="Hello?")])
    async with Terminal("watch", **house.told) as terminal:
        await terminal.shows("caller   Hello?")
        await house.store.append([], [words.interim(segment_id="s3", text="good mor", track="outbound", start=3.0)])
        await terminal.draws("\x1b[2;3;35magent    \x1b[0m\x1b[2;3mgood mor")
        # Redrawn until it has its place; with a line end once it is printed for good.
        await terminal.draws("\x1b[36mcaller   \x1b[0mHello?\r\n")
        evil = "Good morning.\x1b[2J\x1b]0;x\x07 [red]you[/red]"
        await house.store.append([words.final(seq=3, segment_id="s3", track="outbound", text=evil)])
        await terminal.shows("Good morning.[2J]0;x [red]you[/red]")
        await house.store.append([words.ended(seq=4)])
        assert await terminal.ended() == 0
    assert "\x1b[2J" not in terminal.raw and "\x07" not in terminal.raw
    assert terminal.raw.rstrip().endswith("\x1b[?25h"), "the cursor is there again"


@pytest.mark.parametrize("followed", [True, False])
async def test_ctrl_c_is_no_error(house, followed):
    if followed:
        await house.store.append([words.started(), words.final()])
    async with Terminal("watch", **house.told) as terminal:
        await terminal.shows("words of 2" if followed else "waiting for the next one …")
        terminal.interrupt()
        assert await terminal.ended() == 0
    assert "Traceback" not in terminal.text
    assert "\x1b[?25h" in terminal.raw.rpartition("\x1b[?25l")[2]


async def test_into_a_pipe_that_closes(house):
    await house.store.append(words.conversation(finals=500))
    shell = f"{sys.executable} -m bridge watch CA1 | head -1"
    environment = {"PATH": "/usr/bin:/bin", **house.told}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(shell, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (out.decode().count("\n"), err) == (1, b"")


async def test_a_call_or_all(house):
    told = await command("watch", "CA1", "--all", **house.told)
    assert told == (2, "", "bridge: give a call to watch, or --all, not both\n")


async def test_a_real_call_of_a_real_bridge(tmp_path):
    async with deepgram() as server, bridge(settings(tmp_path, server.url)) as origin, Wire(origin) as wire:
        assert (tmp_path / FILENAME).exists()
        told = {"DATA_DIR": str(tmp_path), "PORT": wire.origin.rpartition(":")[2]}
        watch = asyncio.ensure_future(command("watch", **told))
        await until(lambda: wire.connections)
        await play(origin)
        seen = await watch
        listed = await command("calls", **told)
        text = await command("transcript", frames.CALL, **told)
        gone = await command("delete", frames.CALL, "--yes", **told)
    spoken = [word.text for word in SCRIPT.words]
    assert all(word in seen.out and word in text.out for word in spoken)
    assert seen.out.splitlines()[-2].endswith("call ended: stopped")
    assert "words; both at once" in seen.out.splitlines()[-1]
    assert listed.out.splitlines()[1].split()[-1] == str(len(spoken))
    assert (seen.status, gone.status) == (0, 0)
