"""What every index of calls promises: calls are listed, found by what is known or was said, and deleted."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import StoreError
from bridge.outbox import Settlement
from bridge.store import CallFilter, Store
from tests.fakes import words
from tests.fakes.stores import NAMES, STORES, Open, claim, found, seqs


async def test_calls_newest_first_and_page_by_page(store: Store) -> None:
    for n in range(5):
        await store.append([words.started(f"CA{n}")])
    assert [call.id for call in await store.calls(limit=2)] == ["CA4", "CA3"]
    assert [call.id for call in await store.calls(before="CA3", limit=2)] == ["CA2", "CA1"]
    assert [call.id for call in await store.calls(call_id="CA2")] == ["CA2"]
    assert await store.calls(call_id="CA9") == []


async def test_a_call_is_open_until_it_ends(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation("CA1"))
        await store.append([words.started("CA2"), words.final("CA2", 2)])
    async with reopen() as store:
        (call,) = await store.calls(open_only=True)
        assert (call.id, call.tip, call.ended_at) == ("CA2", 2, None)
        await store.take("CA2")
        await store.append([words.ended("CA2", 3)])
        assert await store.calls(open_only=True) == []
        (call,) = await store.calls(call_id="CA2")
        assert (call.started_at, call.ended_at, call.tip) == (words.STARTED_AT, words.STARTED_AT + 60, 3)


DAY = 86400.0
ENDED = words.STARTED_AT + 60


async def test_calls_that_are_too_old_the_oldest_first(reopen: Open) -> None:
    async with reopen(()) as store:
        for call_id, days in (("CA1", None), ("CA2", 10.0), ("CA3", 0.5), ("CA4", None)):
            await store.append([words.started(call_id, record_days=days), words.final(call_id, 2)])
        for n, call_id in enumerate(("CA2", "CA1", "CA3")):  # CA4 goes on
            await store.append([words.ended(call_id, 3, at=60.0 + n)])

        async def expired(after: float, days: float | None, limit: int = 10) -> list[str]:
            return await store.expired(ENDED + after * DAY, days, limit=limit)

        assert await expired(0.4, 30) == await expired(0.6, 0.5, 0) == []
        assert await expired(0.6, 30) == await expired(9, None) == ["CA3"]
        assert await expired(9, 7) == ["CA1", "CA3"]
        assert await expired(11, None) == ["CA2", "CA3"]
        assert await expired(400, 7) == ["CA2", "CA1", "CA3"]
        assert await expired(400, 7, limit=2) == ["CA2", "CA1"]


async def test_a_call_that_is_too_old_waits_four_days_for_its_delivery(store: Store) -> None:
    await store.append(words.conversation("CA1"))
    assert await store.expired(ENDED + 3.9 * DAY, 1, limit=10) == []
    assert await store.expired(ENDED + 4.1 * DAY, 1, limit=10) == ["CA1"]
    [lane] = await claim(store)
    await store.settle(lane, Settlement(5, None))
    assert await store.expired(ENDED + 1.1 * DAY, 1, limit=10) == ["CA1"]


async def test_a_call_that_was_given_up_waits_no_longer(store: Store) -> None:
    await store.append(words.conversation("CA1"))
    [lane] = await claim(store)
    await store.settle(lane, Settlement(0, 5, parked="gone"))
    assert await store.expired(ENDED + 1.1 * DAY, 1, limit=10) == ["CA1"]


async def test_a_calls_header_is_the_envelopes(store: Store) -> None:
    await store.append([words.started()])
    (call,) = await store.calls()
    assert json.loads(call.header) == {
        "id": "CA1",
        "carrier": "twilio",
        "carrier_call_id": "CA1",
        "continues": None,
        "from": "+15550001",
        "to": "+15550002",
        "direction": "inbound",
        "speakers": {"inbound": "caller", "outbound": "agent"},
        "started_at": "2027-01-15T08:00:00.000Z",
        "parameters": {"team": "süd"},
    }


async def test_the_newest_calls_are_found_first_and_page_by_page(full_store: Store) -> None:
    assert await found(full_store) == ["CA3", "CA2", "CA1"]
    assert await found(full_store, limit=2) == ["CA3", "CA2"]
    assert await found(full_store, limit=2, before="CA2") == ["CA1"]
    assert await found(full_store, before="CA1") == []
    assert await found(full_store, before="nobody") == []


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        ({"active": True}, ["CA3"]),
        ({"active": False}, ["CA2", "CA1"]),
        ({"from_": "+15550001"}, ["CA3", "CA2", "CA1"]),
        ({"from_": "0002"}, []),
        ({"to": "0002", "active": True}, ["CA3"]),
        ({"since": words.STARTED_AT}, ["CA3", "CA2", "CA1"]),
        ({"since": words.STARTED_AT + 0.001}, []),
        ({"until": words.STARTED_AT}, []),
        ({"until": words.STARTED_AT + 0.001, "active": False}, ["CA2", "CA1"]),
    ],
)
async def test_calls_are_found_by_what_is_known_of_them(
    full_store: Store, wanted: dict[str, Any], calls: list[str]
) -> None:
    assert await found(full_store, **wanted) == calls


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("order", ["CA2", "CA1"]),
        ("ORDERS", ["CA2", "CA1"]),
        ("order words", ["CA2", "CA1"]),  # said in two segments
        ("order taxi", ["CA2"]),
        ('"my order"', ["CA1"]),
        ('"order my"', []),
        ('"two taxis', ["CA2"]),
        ("mochte", ["CA3"]),
        ("best*", ["CA3"]),
        ("best", []),
        ("orde?", []),
        ("", []),
        ("?!", []),
        ("order AND NOT (taxi", []),
        ("nobody said this", []),
    ],
)
async def test_calls_are_found_by_what_was_said(full_store: Store, text: str, calls: list[str]) -> None:
    assert await found(full_store, text=text) == calls


SPOKEN = {
    "zh": "我想查订单，谢谢你。",
    "ja": "もしもし、iPhoneを買いました。",
    "th": "ผมอยากสั่งซื้อรถ",
    "lo": "ຂ້ອຍຢາກສັ່ງຊື້",
    "km": "ខ្ញុំចង់បញ្ជាទិញ",
    "my": "ကျွန်တော်မှာယူချင်တယ်",
    "ko": "주문을 확인하고 싶어요",
    "hi": "मुझे हिन्दी में बताइए",
    "wide": "ＡＢＣのｶﾞｲﾄﾞ",
}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("订单", ["zh"]),
        ("查订单", ["zh"]),
        ("单订", []),
        ("谢谢你 订单", ["zh"]),
        ('"订单"', ["zh"]),
        ("想*", ["zh"]),
        ("もし", ["ja"]),
        ("iphone", ["ja"]),
        ("iPhoneを買い", ["ja"]),
        ("สั่งซื้อ", ["th"]),
        ("สั้งซื่อ", []),
        ("ຢາກ", ["lo"]),
        ("បញ្ជា", ["km"]),
        ("မှာယူ", ["my"]),
        ("주문을", ["ko"]),
        ("주문*", ["ko"]),
        ("हिन्दी", ["hi"]),
        ("हन्द", []),
        ("abc", ["wide"]),
        ("ガイド", ["wide"]),
        ("ｇｕｉｄｅ", []),
    ],
)
async def test_a_word_is_found_in_every_script(store: Store, text: str, calls: list[str]) -> None:
    for call_id, spoken in SPOKEN.items():
        await store.append([words.started(call_id), words.final(call_id, 2, text=spoken)])
    assert await found(store, text=text) == calls


async def test_a_snippet_is_as_it_was_said(store: Store) -> None:
    await store.append([words.started("CA1"), words.final("CA1", 2, text=SPOKEN["ja"])])
    [call] = await store.find(CallFilter(text="もし"))
    assert call.snippet == SPOKEN["ja"]


async def test_a_call_that_goes_on_is_found_with_what_was_said_last(store: Store) -> None:
    await store.append([words.started("CA1"), words.final("CA1", 2, text="one"), words.final("CA1", 3, text="two")])
    await store.append([words.final("CA1", 4, text="")])
    await store.append(words.conversation("CA2"))
    await store.append([words.started("CA3")])
    assert [call.last and json.loads(call.last)["seq"] for call in await store.find(CallFilter())] == [None, None, 3]


async def test_the_records_of_a_carriers_call_are_found_and_know_of_each_other(full_store: Store) -> None:
    await full_store.append([words.started("CA1--2", carrier_call_id="CA1", continues="CA1")])
    assert await found(full_store, carrier_call_id="CA1") == ["CA1--2", "CA1"]
    assert await found(full_store, carrier_call_id="CA1", active=True) == ["CA1--2"]
    assert await found(full_store, carrier_call_id="CA") == []
    second, first = await full_store.find(CallFilter(carrier_call_id="CA1"))
    assert (json.loads(second.row.header)["continues"], second.continued_by) == ("CA1", None)
    assert (json.loads(first.row.header)["continues"], first.continued_by) == (None, "CA1--2")


async def test_calls_are_found_by_the_beginning_of_their_ids(full_store: Store) -> None:
    await full_store.append([words.started("CA1--2", carrier_call_id="CA1", continues="CA1")])
    assert await found(full_store, begins="CA1") == ["CA1--2", "CA1"]
    assert await found(full_store, begins="CA1-") == ["CA1--2"]
    assert await found(full_store, begins="CA_") == []


async def test_a_search_has_filters_and_pages(full_store: Store) -> None:
    assert await found(full_store, text="order", limit=1) == ["CA2"]
    assert await found(full_store, text="order", before="CA2") == ["CA1"]
    assert await found(full_store, text="order", active=True) == []
    assert await found(full_store, text="order", from_="0001", before="CA2") == ["CA1"]


async def test_what_is_found_shows_where_and_how_the_call_ended(full_store: Store) -> None:
    [call] = await full_store.find(CallFilter(text="my"))
    assert call.snippet == "Where is my order?"
    assert json.loads(call.end or "")["type"] == "call.ended"
    [live] = await full_store.find(CallFilter(active=True))
    assert (live.end, live.snippet, live.row.ended_at) == (None, None, None)


async def test_what_comes_after_the_end_is_found_too(full_store: Store) -> None:
    await full_store.append([words.final("CA1", 5, text="backfilled", source="backfill")])
    [call] = await full_store.find(CallFilter(text="backfilled"))
    assert json.loads(call.end or "")["seq"] == 4
    assert call.row.tip == 5


async def test_what_came_of_its_audio_after_the_end_is_found_with_a_call(full_store: Store) -> None:
    later = [
        words.final("CA1", 5, source="backfill"),
        words.backfilled("CA1", 6, 1.0, 2.0),
        words.gap("CA1", 7, 2.0, 3.0),
    ]
    await full_store.append(later)
    calls = {call.row.id: call for call in await full_store.find(CallFilter())}
    assert [event["type"] for event in json.loads(calls["CA1"].later)] == ["transcription.backfilled", "audio.gap"]
    assert json.loads(calls["CA1"].later)[1] == json.loads(later[2].to_json())
    assert calls["CA2"].later == calls["CA3"].later == "[]"


async def test_a_gap_before_the_end_is_no_news_of_later(store: Store) -> None:
    await store.append([words.started(), words.gap("CA1", 2, 1.0, 2.0)])
    [call] = await store.find(CallFilter())
    assert call.later == "[]"
    await store.append([words.ended(seq=3)])
    [call] = await store.find(CallFilter())
    assert call.later == "[]"


async def test_finals_that_come_twice_are_found_once(full_store: Store) -> None:
    await full_store.append([words.final("CA3", 2, text="something else"), words.final("CA3", 3, text="new")])
    assert await found(full_store, text="something") == []
    assert await found(full_store, text="new") == ["CA3"]


SAID = st.lists(st.lists(st.sampled_from("abc"), max_size=3), max_size=6)


@pytest.mark.parametrize("name", NAMES)
@given(SAID, st.sets(st.sampled_from("abc"), min_size=1))
@settings(max_examples=30, deadline=None)
def test_a_search_finds_every_call_in_which_all_words_were_said(
    name: str, said: list[list[str]], wanted: set[str]
) -> None:
    async def search(path: Path) -> list[str]:
        async with STORES[name](path)() as store:
            for number, finals in enumerate(said):
                call_id = f"CA{number}"
                texts = [words.final(call_id, seq, text=text) for seq, text in enumerate(finals, 2)]
                await store.append([words.started(call_id), *texts])
            pages = [await found(store, text=" ".join(wanted), limit=2)]
            while pages[-1]:
                pages.append(await found(store, text=" ".join(wanted), limit=2, before=pages[-1][-1]))
            return [call_id for page in pages for call_id in page]

    with TemporaryDirectory() as folder:
        calls = asyncio.run(search(Path(folder)))
    assert calls == [f"CA{number}" for number in reversed(range(len(said))) if wanted <= set(said[number])]


async def test_a_deleted_call_is_gone_for_good(reopen: Open) -> None:
    async with reopen() as store:
        await store.append(words.conversation("CA1"))
        await store.append(words.conversation("CA2"))
        assert await store.delete("CA1") is True
        assert await store.delete("CA1") is False
        assert await seqs(store, "CA1") == []
        assert [lane.call_id for lane in await claim(store)] == ["CA2"]
    async with reopen() as store:
        assert await found(store) == ["CA2"]
        assert await found(store, text="words") == ["CA2"]
        assert await store.delivery("webhook", "CA1") is None
        assert [lane.call_id for lane in await claim(store)] == ["CA2"]


async def test_a_call_that_goes_on_is_not_deleted(full_store: Store) -> None:
    with pytest.raises(StoreError, match="CA3 is going on"):
        await full_store.delete("CA3")
    assert await seqs(full_store, "CA3") == [1, 2]


async def test_a_record_may_begin_anew_after_its_deletion(full_store: Store) -> None:
    await full_store.delete("CA1")
    await full_store.append(words.conversation("CA1", finals=1))
    assert await found(full_store, text="order") == ["CA2"]
    assert await found(full_store) == ["CA1", "CA3", "CA2"]
