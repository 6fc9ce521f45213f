"""The page's pure modules, fed directly: the stream's parser and the conversation."""

import json
from random import Random

import pytest
import pytest_asyncio

from bridge import events
from bridge.transcript.turns import turns
from bridge.writing import joined
from tests.browser.samples import ended, segment, spoken, started
from tests.browser.server import Call, ReadingServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(chromium, tmp_path_factory):
    async with ReadingServer(tmp_path_factory.mktemp("modules")) as server:
        page = await chromium.new_page()
        await page.goto(f"{server.origin}/static/icon.svg")
        yield page
        await page.close()


async def parse(page, pieces):
    return await page.evaluate(
        """async (pieces) => {
            const { Parser } = await import("/static/feed.js");
            const parser = new Parser();
            const messages = pieces.flatMap((piece) => parser.receive(piece));
            return messages.map(({ id, event, data }) => [id ?? null, event, data]);
        }""",
        pieces,
    )


STREAM = ': hello\n\nid: 7\nevent: a.b\ndata: {"x": 1}\n\ndata:one\ndata: two\n\nid: 8\r\nevent: c\r\ndata: 3\r\n\r\n'
MESSAGES = [["7", "a.b", '{"x": 1}'], [None, "message", "one\ntwo"], ["8", "c", "3"]]


async def test_a_stream_is_the_same_however_it_is_cut(page):
    assert await parse(page, [STREAM]) == MESSAGES
    assert await parse(page, list(STREAM)) == MESSAGES
    for cut in range(len(STREAM)):
        assert await parse(page, [STREAM[:cut], STREAM[cut:]]) == MESSAGES


async def conversation(page, said):
    """What the items are after these events, and what each `receive` answered."""
    return await page.evaluate(
        """async (said) => {
            const { Conversation } = await import("/static/conversation.js");
            const conversation = new Conversation();
            const taken = said.map((event) => conversation.receive(event));
            const items = conversation.items.map(({ kind, what, text, final }) => text ? [text, final] : what ?? kind);
            return { taken, items, seq: conversation.seq };
        }""",
        said,
    )


def recorded(*said):
    """Events as a reader gets them, durable ones and others, in this order."""
    call = Call("CA1", 0.0)
    return [json.loads(call.append(data, 1.0).to_json()) for data in (started(call), *said)]


CALL = Call("CA1", 0.0)


def say(number, text, at, track="inbound", **more):
    return segment(CALL, number, track, spoken(text, at), **more)


async def test_late_words_stand_at_their_time(page):
    said = recorded(say(1, "one", 1.0), say(2, "three", 5.0), say(3, "two", 3.0, track="outbound"))

    assert (await conversation(page, said))["items"] == [["one", True], ["two", True], ["three", True]]


async def test_a_repeated_event_changes_nothing_and_a_hole_is_refused(page):
    said = recorded(say(1, "one", 1.0), say(2, "two", 3.0))
    result = await conversation(page, [said[0], said[1], said[1], said[2]])
    assert result == {"taken": [True] * 4, "items": [["one two", True]], "seq": 3}

    result = await conversation(page, [said[0], said[2]])
    assert result == {"taken": [True, False], "items": [], "seq": 1}


async def test_a_pause_is_one_note_and_its_gaps_are_none(page):
    begun = events.PauseStarted(at=2.0, by="key")
    gaps = [events.AudioGap(track=track, from_=2.0, to=4.0, missing=2.0, why="paused") for track in events.TRACKS]
    told = await page.evaluate(
        """async (calls) => {
            const { Conversation } = await import("/static/conversation.js");
            return calls.map((said) => {
                const conversation = new Conversation();
                for (const event of said) conversation.receive(event);
                const notes = conversation.items.map(({ what, start, end, by }) => [what, start, end, by]);
                return [notes, conversation.paused !== null];
            });
        }""",
        [recorded(begun), recorded(begun, events.PauseEnded(at=4.0, by="api"), *gaps), recorded(begun, *gaps)],
    )

    over = [[["paused", 2.0, 4.0, "key"]], False]
    assert told == [[[["paused", 2.0, None, "key"]], True], over, over]


async def test_an_interim_never_comes_over_its_final_or_a_newer_one(page):
    interim = say(1, "on", 1.0, final=False, revision=1)
    newer = say(1, "one tw", 1.0, final=False, revision=2)
    bodies = recorded(interim, newer, say(1, "one two", 1.0, revision=3))

    assert (await conversation(page, [bodies[0], bodies[2], bodies[1]]))["items"] == [["one tw", False]]
    assert (await conversation(page, [bodies[0], bodies[3], bodies[2]]))["items"] == [["one two", True]]


async def test_talk_over_is_told_once_however_often_it_comes(page):
    def over(number, start, end, **more):
        return {"overlaps": [events.Overlap(segment_id=f"CA1-{number}", start=start, end=end)], **more}

    first = say(1, "one two three four five six", 1.0).model_copy(update=over("outbound-2", 1.5, 2.6))
    guess = say(2, "five", 1.5, track="outbound", final=False).model_copy(update=over("inbound-1", 1.5, 1.8))
    words = say(2, "five six seven eight", 1.5, track="outbound", revision=2)
    second = words.model_copy(update=over("inbound-1", 1.5, 2.7))
    told = await page.evaluate(
        """async (said) => {
            const { Conversation } = await import("/static/conversation.js");
            const conversation = new Conversation();
            for (const event of said) conversation.receive(event);
            return conversation.items.map(({ over }) => over.map(({ start, end }) => [start, end]));
        }""",
        recorded(guess, first, guess, second),
    )

    assert told == [[], [[1.5, 2.7]]]


TEXTS = [
    "我想",
    "查。",
    "iPhone",
    "12",
    "もし",
    "ครับ",
    "ດີ",
    "បង",
    "ပါ",
    "안녕",
    "OK。",
    "“谢谢”",
    "…",
    "well,",
    "ＡＢ",
    "ﾓｼ",
    "é",
    "𠀀",
]


async def test_texts_are_joined_as_everywhere_else(page):
    pairs = [[one, other] for one in TEXTS for other in TEXTS]
    found = await page.evaluate(
        """async (pairs) => {
            const { joined } = await import("/static/words.js");
            return pairs.map((texts) => joined(texts).text);
        }""",
        pairs,
    )

    assert found == [joined(pair) for pair in pairs]


@pytest.mark.parametrize("voices", [1, 2])
@pytest.mark.parametrize("seed", range(5))
async def test_turns_are_those_of_the_exports(page, seed, voices):
    chance = Random(seed)
    finals = []
    for track in ("inbound", "outbound"):
        at = 0.0
        for number in range(120):
            at += chance.choice((0.1, 0.3, 0.6, 1.5, 2.5))
            length = chance.choice((1, 1, 2, 4, 12))
            said = spoken(" ".join(f"w{number}-{place}" for place in range(length)), at)
            if voices > 1 and track == "inbound":
                said = [{**word, "speaker": chance.choice((0, 0, 0, 1))} for word in said]
            finals.append(segment(CALL, number, track, said))
            at = finals[-1].end
    found = await page.evaluate(
        """async (said) => {
            const { Conversation } = await import("/static/conversation.js");
            const conversation = new Conversation();
            for (const event of said) {
                conversation.receive(event);
                if (event.seq % 3) conversation.changes();
            }
            return conversation.items.map(({ speaker, text }) => [speaker, text]);
        }""",
        recorded(*chance.sample(finals, len(finals))),
    )

    assert found == [[turn.speaker, turn.text] for turn in turns(finals)]


async def test_a_guess_of_several_voices_leaves_nothing_behind(page):
    def two(revision, *voices, **how):
        heard = say(1, " ".join(f"w{place}" for place in range(len(voices))), 1.0, revision=revision, **how)
        words = [word.model_copy(update={"speaker": voice}) for word, voice in zip(heard.words, voices, strict=True)]
        return heard.model_copy(update={"words": words})

    told = await page.evaluate(
        """async (said) => {
            const { Conversation } = await import("/static/conversation.js");
            const conversation = new Conversation();
            return said.map((event) => {
                conversation.receive(event);
                return conversation.items.map(({ speaker, text }) => `${speaker}: ${text}`);
            });
        }""",
        recorded(two(1, 0, 1, 0, final=False), two(2, 0, 0, 0, 1, final=False), two(3, 1, 1, 1, 1)),
    )

    assert told[-3:] == [
        ["caller 1: w0", "caller 2: w1", "caller 1: w2"],
        ["caller 1: w0 w1 w2", "caller 2: w3"],
        ["caller 2: w0 w1 w2 w3"],
    ]


async def test_what_words_name_is_marked(page):
    marked = await page.evaluate(
        """async () => {
            const { runs } = await import("/static/words.js");
            const word = (text, confidence) => ({ text, start: 0, end: 1, confidence });
            const words = [word("my", 0.2), word("card", 0.9), word("4242", 0.1), word("4242", 0.9), word("ok", 0.9)];
            const entities = [{ label: "CREDIT_CARD", start_word: 2, end_word: 4 }];
            const text = "my card 4242 4242 ok";
            return runs({ text, final: true, from: [0], parts: [{ text, final: true, words, entities }] });
        }"""
    )

    assert marked == [
        {"text": "my", "unsure": 20},
        {"text": " card "},
        {"text": "4242 4242", "entity": "CREDIT_CARD"},
        {"text": " ok", "open": False},
    ]


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("订单", "查订单，", ["订单"]),
        ("สั่งซื้อ", "อยากสั่งซื้อรถ", ["สั่งซื้อ"]),
        ("abc", "のＡＢＣ", ["ＡＢＣ"]),
        ("ガス", "新しいｶﾞｽです", ["ｶﾞｽ"]),
        ("ｶﾞｽ", "新しいガスです", ["ガス"]),
        ("istanbul", "İSTANBUL, Istanbul", ["Istanbul"]),
        ('"my order" now*', "My order: now", ["My", "order", "now"]),
    ],
)
async def test_what_was_searched_for_is_marked(page, query, text, marked):
    found = await page.evaluate(
        """async ([query, text]) => {
            const { matches, searchWords } = await import("/static/words.js");
            return matches(text, searchWords(query)).map(([from, to]) => text.slice(from, to));
        }""",
        [query, text],
    )

    assert found == marked


async def test_a_frame_that_is_lost_now_and_then_has_no_row(page):
    def gap(missing):
        return events.AudioGap(**{"track": "inbound", "from": 2.0, "to": 3.0, "missing": missing, "why": "lost"})

    assert (await conversation(page, recorded(gap(0.02), say(1, "one", 3.0), gap(0.3))))["items"] == [
        "gap",
        ["one", True],
    ]


async def test_events_that_were_lost_together_have_one_row(page):
    lost = events.EventLost()
    said = recorded(lost, lost, say(1, "one", 3.0), lost, ended(CALL, 9.0))

    assert (await conversation(page, said))["items"] == ["lost", ["one", True], "lost", "ended"]


async def test_the_end_takes_what_never_settled(page):
    speech = events.SpeechStarted(track="outbound", channel=1, speaker="agent", at=2, at_time="")
    said = recorded(say(1, "one", 1.0), say(2, "tw", 3.0, final=False), speech, ended(CALL, 9.0))

    assert (await conversation(page, said))["items"] == [["one", True], "ended"]


async def test_a_turn_that_may_be_over_is_marked_until_it_goes_on_or_is(page):
    shown = say(1, "one", 1.0, final=False)
    about = {"segment_id": shown.segment_id, "track": "inbound", "channel": 0, "speaker": "caller"}
    early = events.TurnEagerEnd(**about, at=2.0, at_time="", text="one", confidence=0.5)
    resumed = events.TurnResumed(**about, at=2.5, at_time="")
    said = recorded(shown, early, resumed, early, say(1, "one", 1.0, revision=9))
    marked = await page.evaluate(
        """async (said) => {
            const { Conversation } = await import("/static/conversation.js");
            const conversation = new Conversation();
            return said.map((event) => {
                conversation.receive(event);
                return conversation.items.map(({ ending }) => ending);
            });
        }""",
        said,
    )

    assert marked == [[], [False], [True], [False], [True], [False]]


async def test_a_recording_of_which_no_one_knows_who_called_has_its_name(page):
    told = await page.evaluate(
        """async () => {
            const { parties } = await import("/static/format.js");
            return [{ name: "talk.wav" }, { name: "talk.wav", from: "ann", to: "bob" }, { name: null }].map(parties);
        }"""
    )

    assert told == [
        {"other": "talk.wav", "ours": None},
        {"other": "ann", "ours": "bob"},
        {"other": "Unknown", "ours": None},
    ]


async def test_times_are_told_as_a_clock_tells_them(page):
    told = await page.evaluate(
        """async () => {
            const { clock, length, party, asNumber } = await import("/static/format.js");
            return [
                [0, 9.99, 61, 3599.9, 3600, 10799].map(clock),
                [0.04, 1.25, 59.9, 75].map(length),
                ["+15550101000", "sip:a@b", null].map(party),
                ["+1 (555) 010", "555-0101", "order 12"].map(asNumber),
            ];
        }"""
    )

    assert told[0] == ["0:00", "0:09", "1:01", "59:59", "1:00:00", "2:59:59"]
    assert told[1] == ["0 s", "1.3 s", "59.9 s", "1:15"]
    assert told[2] == ["+1 555 010 1000", "sip:a@b", "Unknown"]
    assert told[3] == ["+1555010", "5550101", None]
