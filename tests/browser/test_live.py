"""A call as it is spoken: what appears, what settles, what happens when the connection does not hold."""

import re
import time

import pytest
import pytest_asyncio

from bridge import events
from tests.browser.hands import overlapping, scrolled
from tests.browser.samples import ended, sample_call, segment, spoken, started
from tests.browser.server import Call

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOST = ["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RE", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED"]


@pytest_asyncio.fixture(loop_scope="session")
async def call(server):
    live = Call("CA1", time.time() - 30)
    live.append(started(live), 0.0)
    await server.add(live)
    return live


async def say(server, call, number, text, at, track="inbound", **more):
    await server.append(call, segment(call, number, track, spoken(text, at), **more))


def texts(page):
    return page.locator("#transcript .said").all_text_contents()


async def test_a_call_appears_when_it_starts_and_moves_when_it_ends(server, reader):
    page = await reader.open()
    await expect(page.locator("#list-end")).to_have_text("No calls yet. They appear here the moment they start.")
    call = Call("CA1", time.time() - 5, from_="+442071838750")
    call.append(started(call), 0.0)
    await server.add(call)

    row = page.locator("#live-calls a.call")
    await expect(row).to_contain_text("+442071838750")
    before = await row.locator("time").text_content()
    await expect(row.locator("time")).not_to_have_text(before)
    await say(server, call, 1, "Hello there.", 1.0)
    await expect(row).to_contain_text("caller: Hello there.")

    await server.append(call, ended(call, 12.0))
    await expect(page.locator("#earlier-calls a.call")).to_contain_text("0:12")
    await expect(page.locator("#live-section")).to_be_hidden()


async def test_an_interim_settles_where_it_stands(server, call, reader):
    page = await reader.open("/?call=CA1")
    await expect(page.locator("#call-state")).to_have_text("Live")
    await server.append(call, events.SpeechStarted(track="inbound", channel=0, speaker="caller", at=1, at_time=""))
    await expect(page.locator(".speaking.inbound")).to_be_visible()

    await say(server, call, 1, "Where is", 1.0, final=False)
    line = page.locator("#transcript .turn")
    await expect(line).to_have_class(re.compile("inbound.* interim"))
    await expect(page.locator(".speaking")).to_have_count(0)
    await line.evaluate("element => { element.marked = true; }")
    await say(server, call, 1, "Where is my order?", 1.0, revision=2)

    await expect(line).to_have_class(re.compile("inbound.* final"))
    await expect(line.locator(".said")).to_have_text("Where is my order?")
    assert await line.evaluate("element => element.marked")


async def test_a_turn_is_one_bubble_in_which_its_interim_grows(server, call, reader):
    page = await reader.open("/?call=CA1")
    await say(server, call, 1, "It was supposed", 1.0)
    await say(server, call, 2, "to arr", 2.3, final=False)
    line = page.locator("#transcript .turn")
    await expect(line.locator(".said")).to_have_text("It was supposed to arr")
    await expect(line.locator(".open")).to_have_text("to arr")
    await line.evaluate("element => { element.marked = true; }")
    await say(server, call, 2, "to arrive on Monday.", 2.3, revision=2)
    await expect(line.locator(".said")).to_have_text("It was supposed to arrive on Monday.")
    await say(server, call, 3, "Mhm.", 2.4, track="outbound")
    await say(server, call, 4, "And it did not.", 4.4)

    await expect(page.locator(".said")).to_have_text(["It was supposed to arrive on Monday. And it did not.", "Mhm."])
    assert await line.first.evaluate("element => element.marked")
    await say(server, call, 5, "Hello?", 9.0)
    await expect(page.locator(".inbound .said")).to_have_count(2)


async def test_a_turn_is_written_as_its_script_is(server, call, reader):
    page = await reader.open("/?call=CA1")
    for number, text in enumerate(["我想", "查订单。", "OK", "fine"], 1):
        await say(server, call, number, text, number * 1.0)

    await expect(page.locator(".said")).to_have_text("我想查订单。OK fine")


async def test_only_finals_are_read_out_and_only_new_ones(server, call, reader):
    await say(server, call, 1, "Long ago.", 1.0)
    page = await reader.open("/?call=CA1")
    await expect(page.locator("#call-state")).to_have_text("Live")
    await say(server, call, 2, "Not yet", 5.0, final=False)
    await expect(page.locator(".interim")).to_be_visible()
    await say(server, call, 2, "Settled now.", 5.0)

    await expect(page.locator("#log p")).to_have_text(["caller: Settled now."])


async def test_an_interim_that_comes_to_nothing_goes(server, call, reader):
    page = await reader.open("/?call=CA1")
    await say(server, call, 1, "Hm", 1.0, final=False)
    await expect(page.locator(".interim")).to_be_visible()
    empty = segment(call, 1, "inbound", spoken("Hm", 1.0), revision=2).model_copy(update={"text": "", "words": []})
    await server.append(call, empty)

    await expect(page.locator(".turn")).to_have_count(0)


async def test_what_happens_besides_words_is_told_in_its_place(server, call, reader):
    page = await reader.open("/?call=CA1")
    await say(server, call, 1, "Hello, who is there?", 1.0)
    over = [events.Overlap(segment_id="CA1-inbound-1", start=1.2, end=2.4)]
    await say(server, call, 2, "Good morning to you.", 1.2, track="outbound", overlaps=over)
    over = [events.Overlap(segment_id="CA1-outbound-2", start=2.3, end=2.5)]
    await say(server, call, 3, "Good morning.", 2.3, overlaps=over)
    await server.append(call, events.DtmfReceived(track="inbound", digit="7", at=4.0))
    await server.append(
        call, events.AudioGap(**{"track": "inbound", "from": 5, "to": 6, "missing": 0.9, "why": "lost"})
    )
    away = events.TranscriptionInterrupted(reason="it is down", status=503, attempt=1, waiting=0.1, retry=True)
    await server.append(call, away, 8.0)
    await server.append(call, away.model_copy(update={"attempt": 2}), 9.0)

    await expect(page.locator(".note")).to_have_text(
        [
            "Key 7 pressed0:04",
            "0.9 s of audio missing: lost on the way0:05",
            "Transcription interrupted: it is down. The audio is kept, the words will follow.0:08",
        ]
    )
    await server.append(call, events.TranscriptionResumed(attempt=3, waiting=4.0), 12.0)
    await expect(page.locator(".note").last).to_have_text("Transcription was away for 4 s: it is down0:08")
    # It is told once, where the second of them began; less than a second is a back-channel.
    await expect(page.locator(".talk-over")).to_have_text("Talk-over 1.2 s")
    await expect(page.locator(".outbound .talk-over")).to_be_visible()


async def test_what_a_call_says_is_text_and_nothing_else(server, reader):
    evil = "<img src=x onerror=document.title='gone'><b>bold</b>"
    call = Call("CA2", time.time() - 30)
    call.speakers = {"inbound": "<i>caller</i>", "outbound": "agent"}
    call.parameters = {"<u>name</u>": evil}
    call.append(started(call), 0.0)
    await server.add(call)
    await say(server, call, 1, evil, 1.0)
    await server.append(call, events.StreamFailed(stream_id=None, error=evil))
    page = await reader.open("/?call=CA2")
    await expect(page.locator(".said")).to_have_text(evil)

    await expect(page.locator(".note")).to_contain_text(evil)
    await expect(page.locator(".facts").last).to_contain_text(evil)
    assert await page.locator("#app :is(b, u, img, i:not(.dots i))").count() == 0


async def test_a_reload_in_mid_call_misses_nothing(server, call, reader):
    page = await reader.open("/?call=CA1")
    for number in range(1, 4):
        await say(server, call, number, f"Sentence {number}.", number * 3.0)
    await expect(page.locator(".said")).to_have_count(3)
    await say(server, call, 4, "Half a sen", 12.0, final=False)
    await page.reload()

    await expect(page.locator(".said")).to_have_count(4)
    await expect(page.locator("#live-calls .call-line")).to_have_text("caller: Sentence 3.")
    await say(server, call, 4, "Half a sentence no more.", 12.0, revision=2)
    await expect(page.locator(".interim")).to_have_count(0)
    assert await texts(page) == ["Sentence 1.", "Sentence 2.", "Sentence 3.", "Half a sentence no more."]


async def test_the_server_restarts_in_mid_call_and_the_page_goes_on(server, call, reader):
    reader.expected += LOST
    page = await reader.open("/?call=CA1")
    await say(server, call, 1, "Before.", 1.0)
    await expect(page.locator(".said")).to_have_text(["Before."])
    await server.stop()
    await expect(page.locator("#call-state")).to_contain_text("Reconnecting since")
    await expect(page.locator("#list-state")).to_contain_text("Offline since")
    assert not await overlapping(page, "#list-state", ".list-head > :not(#list-state), .search input")
    assert not await overlapping(page, "#call-state", ".call-name > *, .call-tools button")
    # Whether the call goes on is not known: its timers stand still.
    timers = page.locator("#live-calls .call-when, #call-length")
    shown = await timers.all_text_contents()
    await page.wait_for_timeout(2100)
    assert await timers.all_text_contents() == shown
    await say(server, call, 2, "Meanwhile.", 3.0, track="outbound")
    other = Call("CA2", time.time())
    other.append(started(other), 0.0)
    await server.add(other)
    await server.start()

    await expect(page.locator("#call-state")).to_contain_text("nothing missed")
    await say(server, call, 3, "After.", 5.0)
    await expect(page.locator(".said")).to_have_text(["Before.", "Meanwhile.", "After."])
    await expect(page.locator("#live-calls a.call")).to_have_count(2)
    await expect(page.locator("#list-state")).to_be_hidden()
    resumed = [headers for _, path, _, headers in server.asked if path == "/calls/CA1/events"][-1]
    assert resumed["Last-Event-ID"] == "2"


async def test_a_call_that_ended_while_we_were_away_is_not_live_any_more(server, call, reader):
    reader.expected += LOST
    page = await reader.open("/")
    await expect(page.locator("#live-calls a.call")).to_have_count(1)
    await server.stop()
    await server.append(call, ended(call, 20.0))
    await server.start()

    await expect(page.locator("#earlier-calls a.call")).to_have_count(1)
    await expect(page.locator("#live-section")).to_be_hidden()


async def test_a_hole_in_the_stream_is_asked_for_again(server, call, reader):
    page = await reader.open("/")
    await say(server, call, 1, "Swallowed.", 1.0)
    await say(server, call, 2, "And on.", 4.0)
    torn = "".join(f"id: {e.seq}\nevent: {e.type}\ndata: {e.to_json()}\n\n" for e in call.events if e.seq != 2)
    stream = {"content_type": "text/event-stream", "body": torn}
    await page.route("**/calls/CA1/events", lambda route: route.fulfill(**stream), times=1)
    await page.locator("a.call").click()

    await expect(page.locator(".said")).to_have_text(["Swallowed.", "And on."])
    [again] = [headers for _, path, _, headers in server.asked if path == "/calls/CA1/events"]
    assert again["Last-Event-ID"] == "1"


async def test_another_record_behind_the_address_is_read_from_its_beginning(server, call, reader, tmp_path):
    reader.expected += LOST
    for number in range(5):
        await say(server, call, number, f"Sentence {number}.", number * 3.0)
    await server.add(sample_call("CA2", time.time() - 300))
    page = await reader.open("/?call=CA1")
    await expect(page.locator(".said")).to_have_count(5)
    await expect(page.locator("a.call")).to_have_count(2)
    await server.stop()
    await server.replace_record(tmp_path / "another")
    fresh = Call("CA1", time.time())
    fresh.append(started(fresh), 0.0)
    await server.add(fresh)
    await server.start()

    await expect(page.locator(".said")).to_have_count(0)
    await say(server, fresh, 1, "Quite another call.", 1.0)
    await expect(page.locator(".said")).to_have_text(["Quite another call."])
    await expect(page.locator("a.call")).to_have_count(1)


async def test_words_that_come_after_the_call_are_shown_too(server, call, reader):
    await say(server, call, 1, "Before.", 1.0)
    page = await reader.open("/?call=CA1")
    hole = {"track": "inbound", "from": 3.0, "to": 5.5}
    await server.append(call, ended(call, 9.0, flush="timed_out", missing=2.5, uncovered=[hole]))
    note = page.locator(".note.ended")
    await expect(note).to_contain_text("2.5 s are still to be transcribed.")
    await expect(page.locator("#call-state")).to_have_text("Ended")
    late = segment(call, 2, "inbound", spoken("Late words.", 3.5)).model_copy(update={"source": "backfill"})
    await server.append(call, late)
    await server.append(call, events.TranscriptionBackfilled(**{"from": 3.0, "to": 5.5, "waiting": 0.0}), 20.0)

    await expect(page.locator(".said")).to_have_text(["Before.", "Late words."], timeout=15_000)
    await expect(note).to_contain_text("2.5 s were transcribed afterwards.")


async def test_scrolling_up_stops_the_scrolling_and_the_button_goes_on(server, call, reader):
    for number in range(30):
        await say(server, call, number, f"This is sentence number {number} of this call.", number * 5.0)
    page = await reader.open("/?call=CA1", height=500)
    last = page.locator(".turn").last
    await expect(last).to_be_in_viewport()
    await say(server, call, 30, "It follows.", 160.0)
    await expect(page.locator(".said", has_text="It follows.")).to_be_in_viewport()
    await expect(page.locator("#to-now")).to_be_hidden()

    await page.locator("#conversation").hover()
    await page.mouse.wheel(0, -400)
    await expect(page.locator("#to-now")).to_be_visible()
    await say(server, call, 31, "It does not follow.", 165.0)
    await expect(page.locator("#to-now")).to_have_text("Jump to now (1 new)")
    await expect(page.locator(".said", has_text="It does not follow.")).not_to_be_in_viewport()

    await page.keyboard.press("End")
    await expect(page.locator(".said", has_text="It does not follow.")).to_be_in_viewport()
    await expect(page.locator("#to-now")).to_be_hidden()
    await say(server, call, 32, "It follows again.", 170.0)
    await expect(page.locator(".said", has_text="It follows again.")).to_be_in_viewport()


async def test_while_words_come_only_the_conversation_scrolls(server, call, reader):
    page = await reader.open("/?call=CA1", height=400)
    for number in range(20):
        await say(server, call, number, f"This is sentence number {number} of this call.", number * 5.0)
    await expect(page.locator(".said").last).to_contain_text("number 19")
    await page.locator(".turn").last.focus()

    assert await scrolled(page) == ["conversation"]


async def test_the_end_of_the_call_is_the_end(server, call, reader):
    page = await reader.open("/?call=CA1")
    await say(server, call, 1, "Good", 1.0, final=False)
    await expect(page.locator(".interim")).to_be_visible()
    await server.append(call, ended(call, 62.0, flush="timed_out", missing=2.0))

    await expect(page.locator("#call-state")).to_have_text("Ended")
    await expect(page.locator(".note.ended")).to_contain_text("Call ended after 1:02. Hung up. 2 s have no words.")
    await expect(page.locator(".interim")).to_have_count(0)
    await expect(page.locator("#details")).to_contain_text("2 s missing")
    await expect(page.get_by_label("Delete this call")).to_be_visible()
