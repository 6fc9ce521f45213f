"""The audit log as readers fill it, on a real server."""

import pytest

from bridge import app, config
from bridge.rights import Reader
from bridge.store.audit import FOLDER
from bridge.store.auditing import Entry
from bridge.web.audit import ACTIONS, _what
from tests.fakes import words
from tests.fakes.reading import doors, reader

CRM = Reader("crm", "crm-token-123456", frozenset(("read",)))
BOSS = Reader("boss", "boss-token-12345")


@pytest.fixture
async def place(tmp_path):
    async with doors(tmp_path, (CRM, BOSS)) as running:
        await running.store.append(words.conversation("CA1"))
        yield running


@pytest.fixture
async def session(place):
    async with reader(place, Accept="*/*") as client:
        yield client


def bearer(one):
    return {"Authorization": f"Bearer {one.token}"}


async def ask(session, path, one=CRM, method="GET", **options):
    async with session.request(method, path, **{"headers": bearer(one) if one else {}, **options}) as response:
        await response.read()
        return response.status


async def told(session, query=""):
    async with session.get(f"/audit{query}", headers=bearer(BOSS)) as response:
        assert response.status == 200
        return await response.json()


async def actions(session, query=""):
    return [(entry["who"], entry["action"], entry["status"]) for entry in (await told(session, query))["entries"]]


async def test_who_has_done_what(session, tmp_path):
    await ask(session, "/calls?q=a+secret+word")
    await ask(session, "/calls/CA1/transcript.srt")
    await ask(session, "/calls/CA1/audio.wav")
    async with session.post("/calls/CA1/links", json={"expires_in": 60}, headers=bearer(CRM)) as response:
        link = (await response.json())["token"]
    await ask(session, f"/calls/CA1/events?access={link}", None)
    await ask(session, "/calls/CA1", CRM, "DELETE")
    await ask(session, "/calls/CA1", BOSS, "DELETE")

    assert (await actions(session))[::-1] == [
        ("crm", "list", 200),
        ("crm", "read", 200),
        ("crm", "hear", 404),
        ("crm", "link", 200),
        ("crm", "read", 200),
        ("crm", "delete", 403),
        ("boss", "delete", 204),
    ]
    entries = (await told(session, "?action=read"))["entries"]
    assert [(entry["via"], entry["form"]) for entry in entries] == [("link", "events"), ("token", "transcript.srt")]
    written = "".join(path.read_text() for path in (tmp_path / FOLDER).iterdir())
    assert not any(text in written for text in ("secret", link, CRM.token, BOSS.token))


async def test_logins_and_those_that_fail(session):
    for token in ("wrong", "wrong", CRM.token):
        await ask(session, "/login", None, "POST", json={"token": token})
    await ask(session, "/logout", None, "POST")

    assert (await actions(session))[::-1] == [("", "log in", 401), ("crm", "log in", 200), ("crm", "log out", 204)]


async def test_a_feed_stands_there_while_it_is_read(session):
    async with session.get("/calls/live", headers={**bearer(CRM), "Accept": "text/event-stream"}) as feed:
        await feed.content.readline()
        assert await actions(session, "?action=follow") == [("crm", "follow", 200)]


async def test_a_repetition_stands_there_once_a_minute(place, session):
    for later in (0, 30, 61):
        place.now += later
        await ask(session, "/calls/CA1")
    assert len((await told(session))["entries"]) == 2


async def test_another_form_of_a_call_is_no_repetition(session):
    for form in ("srt", "txt", "srt"):
        await ask(session, f"/calls/CA1/transcript.{form}")
    assert [entry["form"] for entry in (await told(session))["entries"]] == ["transcript.txt", "transcript.srt"]


async def test_a_clock_that_is_set_back_hides_nothing(place, session):
    await ask(session, "/calls/CA1")
    place.now -= 86400
    await ask(session, "/calls/CA1")
    assert len((await told(session))["entries"]) == 2


async def test_a_repetition_of_what_could_not_be_written_is_written(session, tmp_path):
    folder = tmp_path / FOLDER
    folder.write_text("a file where the folder should be")
    await ask(session, "/calls/CA1")
    folder.unlink()
    await ask(session, "/calls/CA1")
    assert await actions(session) == [("crm", "read", 200)]


def test_a_stranger_with_many_addresses_is_one():
    def failed(address):
        return _what(Entry("", "", "token", address, "log in", None, None, 401))

    assert failed("2001:db8::1") == failed("2001:db8::2") != failed("2001:db8:0:1::1")


async def test_a_log_that_cannot_be_written_keeps_no_one_from_deleting(place, session, tmp_path, caplog):
    (tmp_path / FOLDER).write_text("a file where the folder should be")

    assert await ask(session, "/calls/CA1", BOSS, "DELETE") == 204
    assert place.audit.counters["not_written"] == 1
    assert [vars(record)["action"] for record in caplog.records if record.message == "an entry is lost"] == ["delete"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?user=crm", "There is no filter user"),
        ("?limit=0", "limit must be"),
        ("?before=elsewhere", "before must be next of the page before"),
    ],
)
async def test_a_question_that_cannot_be_understood(session, query, sentence):
    async with session.get(f"/audit{query}", headers=bearer(BOSS)) as response:
        assert response.status == 400
        assert sentence in (await response.json())["error"]


async def test_pages_go_on(session):
    for path in ("/calls", "/calls/CA1", "/calls/CA1/audio.wav"):
        await ask(session, path)
    first = await told(session, "?limit=2")
    second = await told(session, f"?limit=2&before={first['next']}")
    assert [entry["action"] for entry in first["entries"] + second["entries"]] == ["hear", "read", "list"]


async def test_who_may_not_read_it_does_not(session):
    assert await ask(session, "/audit", CRM) == 403
    assert await ask(session, "/audit", None) == 401


async def test_every_route_that_lets_readers_in_is_written_down(tmp_path):
    given = {"data_dir": tmp_path, "deepgram_api_key": "key", "twilio_signature": "off", "bridge_metrics": "token"}
    built = app.build(config.load({}, **given))
    guarded = {
        (route.method, route.resource.canonical)
        for route in built.router.routes()
        if hasattr(route.handler, "__wrapped__") and route.method != "HEAD"
    }
    own = {("POST", "/login"), ("POST", "/logout")}  # they let in, and out

    assert guarded - {("GET", "/metrics")} == set(ACTIONS) - own
