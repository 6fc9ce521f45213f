"""The way in: who gets through the door, and who does not, on a real server."""

import asyncio
import json
import sqlite3

import aiohttp
import pytest

from bridge.rights import Reader, unlimited
from bridge.store.sessions import FILENAME, EndedSessions
from bridge.web.access import COOKIE, SESSION
from tests.fakes import words
from tests.fakes.reading import BEARER, NOW, TOKEN, doors, reader

OTHER = "another-token-1234"


@pytest.fixture
async def place(tmp_path):
    async with doors(tmp_path, unlimited((TOKEN, OTHER)), "https://calls.example.com") as running:
        for call_id in ("CA1", "CA2"):
            await running.store.append(words.conversation(call_id))
        yield running


async def status(session, path, method="GET", **options):
    async with session.request(method, path, **options) as response:
        return response.status


async def log_in(session, token=TOKEN, **options):
    async with session.post("/login", json={"token": token}, **options) as response:
        return response.status, response.cookies.get(COOKIE)


@pytest.fixture
async def stranger(place):
    async with reader(place, Accept="*/*") as session:
        yield session


PRIVATE = ["/calls", "/calls/CA1", "/calls/CA1/events", "/calls/CA1/transcript.txt", "/calls/live"]


@pytest.mark.parametrize("path", PRIVATE)
async def test_a_stranger_stays_outside_even_on_loopback(stranger, path):
    for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"Host": "localhost"}):
        async with stranger.get(path, headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "token" in (await response.json())["error"]


async def test_a_stranger_learns_not_even_which_calls_there_are(stranger):
    assert await status(stranger, "/calls/nobody") == await status(stranger, "/calls/CA1") == 401
    assert await status(stranger, "/calls/CA1", "DELETE") == 401
    assert await status(stranger, "/calls/CA1/links", "POST") == 401


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {OTHER} "])
async def test_a_token_opens(stranger, header):
    assert await status(stranger, "/calls", headers={"Authorization": header}) == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \udc80ö"]
)
async def test_anything_else_does_not(stranger, header):
    assert await status(stranger, "/calls", headers={"Authorization": header}) == 401


async def test_a_login_is_a_cookie_that_only_our_page_has(stranger):
    code, cookie = await log_in(stranger)
    assert code == 200
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["max-age"]) == (
        True,
        "Strict",
        "",
        str(round(SESSION)),
    )
    assert TOKEN not in cookie.value
    assert await status(stranger, "/calls") == 200


async def test_behind_https_the_cookie_stays_there(place, stranger):
    _, cookie = await log_in(stranger, headers={"Host": "calls.example.com"})
    assert cookie["secure"] is True


@pytest.mark.parametrize("token", [OTHER + "x", "", None, 7, ["a"]])
async def test_a_wrong_token_does_not_log_in(stranger, token):
    code, cookie = await log_in(stranger, token)
    assert (code, cookie) == (401, None)


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"token": TOKEN}},
        {"data": "{", "headers": {"Content-Type": "application/json"}},
        {"data": "{}", "headers": {"Content-Type": "application/json; charset=none-such"}},
        {"json": []},
        {},
    ],
)
async def test_a_form_of_another_site_does_not_log_in(stranger, body):
    assert await status(stranger, "/login", "POST", **body) == 401


async def test_a_session_ends(place, stranger):
    await log_in(stranger)
    place.now = NOW + SESSION - 1
    assert await status(stranger, "/calls") == 200
    place.now = NOW + SESSION
    assert await status(stranger, "/calls") == 401


async def test_a_session_survives_a_restart_and_ends_with_its_token(tmp_path, place, stranger):
    _, cookie = await log_in(stranger, OTHER)
    for tokens, code in (((OTHER,), 200), ((TOKEN,), 401)):
        async with doors(tmp_path / "-".join(tokens), unlimited(tokens)) as later, reader(later, Cookie="") as session:
            assert await status(session, "/calls", headers={"Cookie": f"{COOKIE}={cookie.value}"}) == code


async def test_logging_out_takes_the_cookie_back(stranger):
    await log_in(stranger)
    assert await status(stranger, "/logout", "POST") == 204
    assert await status(stranger, "/calls") == 401


async def test_logging_out_ends_the_session_wherever_its_cookie_is(place, stranger):
    _, cookie = await log_in(stranger)
    copied = {"Cookie": f"{COOKIE}={cookie.value}"}
    async with reader(place, Accept="*/*") as elsewhere, reader(place, Accept="*/*") as another:
        await log_in(another)
        assert await status(elsewhere, "/calls", headers=copied) == 200
        assert await status(stranger, "/logout", "POST") == 204

        assert await status(elsewhere, "/calls", headers=copied) == 401
        assert await status(another, "/calls") == 200


async def test_logging_out_ends_the_feeds_of_the_session(place, stranger):
    _, cookie = await log_in(stranger)
    copied = {"Cookie": f"{COOKIE}={cookie.value}"}
    async with reader(place) as elsewhere, elsewhere.get("/calls/live", headers=BEARER) as other:
        async with elsewhere.get("/calls/live", headers={**copied, "Authorization": ""}) as feed:
            await feed.content.readline()
            assert await status(stranger, "/logout", "POST") == 204
            with pytest.raises(aiohttp.ClientError):
                await asyncio.wait_for(feed.content.read(), 60)
        assert other.content.at_eof() is False


async def test_an_end_that_cannot_be_kept_is_said_to_be(tmp_path):
    ended = EndedSessions(tmp_path / "ended", NOW)
    (tmp_path / "ended" / FILENAME).mkdir(parents=True)
    async with doors(tmp_path, ended=ended) as running, reader(running, Accept="*/*") as session:
        await log_in(session)
        assert await status(session, "/logout", "POST") == 503
        assert await status(session, "/calls") == 401


async def test_the_answer_to_a_wrong_token_waits_longer_each_time_and_a_good_one_does_not(place, stranger, caplog):
    clock = asyncio.get_running_loop().time
    began = clock()
    for _ in range(2):
        assert (await log_in(stranger, "wrong"))[0] == 401
    assert await status(stranger, "/calls", headers={"Authorization": "Bearer wrong"}) == 401
    assert clock() - began >= 0.7
    lines = [vars(record) for record in caplog.records if record.message == "login failed"]
    assert [(line["address"], line["failures"]) for line in lines] == [("127.0.0.1", n) for n in (1, 2, 3)]
    assert "wrong" not in str(lines)

    waiting = asyncio.create_task(log_in(stranger, "wrong"))
    async with reader(place, Accept="*/*") as other:
        assert (await log_in(other))[0] == 200
        assert await status(other, "/calls") == 200
    assert not waiting.done()
    assert (await waiting)[0] == 401


@pytest.mark.parametrize("forged", ["", "x", "9999999999", "9999999999.", "9999999999.AAAA", "-1.A", "²." + "A" * 43])
async def test_a_cookie_is_not_forged(stranger, forged):
    for value in (forged, f"x.{forged}"):
        headers = {"Cookie": f"{COOKIE}={value}".encode().decode("latin-1")}
        assert await status(stranger, "/calls", headers=headers) == 401


async def test_a_session_is_no_link_and_a_link_no_session(place, stranger):
    _, cookie = await log_in(stranger)
    async with reader(place) as session, session.post("/calls/CA1/links") as response:
        link = (await response.json())["token"]
    async with reader(place, Accept="*/*") as other:
        assert await status(other, f"/calls/CA1?access={cookie.value}") == 401
        assert await status(other, "/calls", headers={"Cookie": f"{COOKIE}={link}"}) == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": "https://calls.example.com"}, True),
    ],
)
async def test_other_sites_cannot_change_anything_with_our_cookie(place, stranger, headers, allowed):
    await log_in(stranger)
    assert await status(stranger, "/calls/CA1", "DELETE", headers=headers) == (204 if allowed else 403)
    assert bool(await place.store.calls(call_id="CA1")) is not allowed


async def test_our_own_page_can(place, stranger):
    await log_in(stranger)
    assert await status(stranger, "/calls/CA1", "DELETE", headers={"Origin": place.origin}) == 204


async def test_other_sites_cannot_read_with_our_cookie(stranger):
    await log_in(stranger)
    assert await status(stranger, "/calls", headers={"Sec-Fetch-Site": "cross-site"}) == 403
    assert await status(stranger, "/calls", headers={"Origin": "http://evil.example"}) == 403
    assert await status(stranger, "/calls", headers={"Sec-Fetch-Site": "same-origin"}) == 200


async def test_a_link_opens_one_call_to_read_until_it_expires(place, stranger):
    async with reader(place) as session, session.post("/calls/CA1/links", json={"expires_in": 60}) as response:
        link = await response.json()
    assert link["url"] == f"{place.origin}/?call=CA1#access={link['token']}"
    access = f"access={link['token']}"
    for path in PRIVATE[1:4]:
        assert await status(stranger, f"{path}?{access}") == 200
    for path in ("/calls/CA2", "/calls", "/calls/live", "/calls/CA1/links"):
        assert await status(stranger, f"{path}?{access}") in (401, 405)
    assert await status(stranger, f"/calls/CA1?{access}", "DELETE") == 401
    assert await status(stranger, f"/calls/CA1/links?{access}", "POST") == 401
    place.now += 60
    assert await status(stranger, f"/calls/CA1?{access}") == 401


async def test_a_link_names_the_public_address_for_who_came_by_it(place):
    async with reader(place) as session:
        async with session.post("/calls/CA1/links", headers={"Host": "calls.example.com"}) as response:
            assert (await response.json())["url"].startswith("https://calls.example.com/?call=CA1#access=")


@pytest.mark.parametrize("expires_in", [0, -1, 1e9, "60", None, True, float("nan")])
async def test_how_long_a_link_lasts_has_bounds(place, expires_in):
    async with reader(place) as session, session.post("/calls/CA1/links", json={"expires_in": expires_in}) as response:
        assert response.status == 400
        assert "expires_in" in (await response.json())["error"]


async def test_there_is_no_link_to_a_call_that_is_not_there(place):
    async with reader(place, **BEARER) as session:
        assert await status(session, "/calls/nobody/links", "POST") == 404


async def test_a_record_that_cannot_be_read_is_said_not_to_be(tmp_path, place, caplog):
    database = sqlite3.connect(tmp_path / "bridge.db")
    database.execute("ALTER TABLE event RENAME TO elsewhere")
    database.close()
    async with reader(place) as session, session.get("/calls") as response:
        assert response.status == 503
        assert "cannot be read" in (await response.json())["error"]
    assert "SQLite refuses it (SQLITE_ERROR)" in caplog.records[-1].__dict__["reason"]


async def test_a_stranger_who_sends_thousands_of_digits_or_brackets_is_a_stranger(stranger):
    digits = "9" * 5000
    assert await status(stranger, f"/calls/CA1?access={digits}") == 401
    assert await status(stranger, "/calls", headers={"Cookie": f"{COOKIE}={digits}"}) == 401
    for body in ("[" * 50_000, f'{{"token": {digits}}}'):
        headers = {"Content-Type": "application/json"}
        assert await status(stranger, "/login", "POST", data=body, headers=headers) == 401


async def test_an_origin_that_is_none_is_not_our_page(stranger):
    assert (await log_in(stranger))[0] == 200
    for origin in ("http://[", "null", "", "http://calls.example.com/", "evil"):
        assert await status(stranger, "/calls", headers={"Origin": origin}) == 403


CRM = Reader("crm", "crm-token-123456", frozenset(("read",)), ("+15550002",))
DESK = Reader("desk", "desk-token-12345", numbers=("+15559999", "+15550003"))
ALL = Reader("all", "all-token-123456", frozenset(("read", "control")))


@pytest.fixture
async def divided(tmp_path):
    """CA1 is of a number of `crm`, CA2 of one of `desk`."""
    async with doors(tmp_path, (CRM, DESK, ALL)) as running:
        await running.store.append(words.conversation("CA1"))
        await running.store.append([words.started("CA2", to="+15559999"), *words.conversation("CA2")[1:]])
        yield running


@pytest.fixture
async def visitor(divided):
    async with reader(divided, Accept="*/*") as session:
        yield session


def bearer(one):
    return {"Authorization": f"Bearer {one.token}"}


@pytest.mark.parametrize("path", ["", "/events", "/transcript.txt", "/transcript.json", "/audio.wav"])
async def test_a_call_of_other_numbers_is_not_there(visitor, path):
    theirs = await status(visitor, f"/calls/CA1{path}", headers=bearer(CRM))
    async with visitor.get(f"/calls/CA2{path}", headers=bearer(CRM)) as response:
        assert (response.status, await response.json()) == (404, {"error": "There is no such call."})
    assert theirs == (404 if path == "/audio.wav" else 200)  # nothing was recorded


async def test_a_list_and_a_search_have_the_calls_of_the_readers_numbers(visitor):
    for one, expected in ((CRM, ["CA1"]), (DESK, ["CA2"]), (ALL, ["CA2", "CA1"])):
        for query in ("", "?q=words", "?from=555&limit=1"):
            async with visitor.get(f"/calls{query}", headers=bearer(one)) as response:
                calls = [call["id"] for call in (await response.json())["calls"]]
            assert calls == (expected[:1] if "limit" in query else expected)


async def test_a_page_does_not_tell_which_calls_of_others_there_are(visitor):
    answers = {}
    for before in ("CA2", "nobody"):
        async with visitor.get(f"/calls?before={before}", headers=bearer(CRM)) as response:
            answers[before] = (response.status, await response.text())
    assert answers["CA2"] == answers["nobody"]
    assert answers["CA2"][0] == 404
    assert await status(visitor, "/calls?before=CA1", headers=bearer(CRM)) == 200


async def test_the_feed_of_all_calls_has_those_of_the_readers_numbers(visitor):
    async with visitor.ws_connect("/calls/live?after=0", headers=bearer(DESK)) as feed:
        got = [json.loads((await feed.receive()).data) for _ in words.conversation()]
    assert [(event["call_id"], event["seq"]) for event in got] == [("CA2", seq) for seq in range(1, 6)]

    headers = {**bearer(CRM), "Accept": "text/event-stream"}
    async with visitor.get("/calls/live?after=0", headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data: "):
                assert b'"call_id":"CA2"' not in line
                if b"call.ended" in line:
                    break


@pytest.mark.parametrize(
    ("one", "method", "path", "code"),
    [
        (CRM, "DELETE", "/calls/CA1", 403),
        (CRM, "DELETE", "/calls/CA2", 404),
        (ALL, "DELETE", "/calls/CA1", 403),
        (DESK, "DELETE", "/calls/CA1", 404),
        (DESK, "DELETE", "/calls/CA2", 204),
        (CRM, "POST", "/calls/CA2/links", 404),
        (CRM, "POST", "/calls/CA1/links", 400),  # it may, and has to say for how long
    ],
)
async def test_a_token_has_its_rights_only(visitor, one, method, path, code):
    assert await status(visitor, path, method, headers=bearer(one), json={"expires_in": "x"}) == code


async def test_a_session_has_the_rights_and_numbers_of_its_token(divided, visitor):
    await log_in(visitor, CRM.token)
    assert await status(visitor, "/calls/CA1") == 200
    assert await status(visitor, "/calls/CA2") == 404
    assert await status(visitor, "/calls/CA1", "DELETE", headers={"Origin": divided.origin}) == 403


async def test_a_link_is_of_the_reader_who_made_it(tmp_path, visitor):
    async with visitor.post("/calls/CA1/links", json={"expires_in": 60}, headers=bearer(CRM)) as response:
        token = (await response.json())["token"]
    assert await status(visitor, f"/calls/CA1?access={token}") == 200
    assert await status(visitor, f"/calls/CA2?access={token}") == 401
    for readers, code in (((DESK, CRM), 200), ((DESK, ALL), 401)):
        async with doors(tmp_path / readers[-1].name, readers) as later, reader(later, Accept="*/*") as session:
            await later.store.append(words.conversation("CA1"))
            assert await status(session, f"/calls/CA1?access={token}") == code


async def test_a_call_says_what_its_reader_may_do(visitor):
    async with visitor.post("/calls/CA1/links", json={"expires_in": 60}, headers=bearer(ALL)) as response:
        link = (await response.json())["token"]
    for query, headers, may in (
        ("", bearer(CRM), ["read"]),
        ("", bearer(ALL), ["read", "control"]),
        (f"?access={link}", {}, ["read"]),
    ):
        async with visitor.get(f"/calls/CA1{query}", headers=headers) as response:
            assert (await response.json())["may"] == may
