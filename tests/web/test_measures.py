"""What a scrape says of calls that went on, and that it costs nothing between two scrapes."""

import pytest_asyncio

from bridge.histogram import MOMENTS, Histogram
from bridge.web.measures import Figures, Measures, Times
from tests.fakes import frames
from tests.fakes.scraping import read, scrape_after_a_call, value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def after_a_call(tmp_path_factory):
    """The samples of a bridge that has had one call, and the call's events."""
    text, events = await scrape_after_a_call(tmp_path_factory.mktemp("data"), bridge_max_calls=7)
    return read(text), events


def test_a_call_is_measured_on_its_whole_way(after_a_call):
    samples, events = after_a_call
    finals = sum(event["type"] == "transcript.final" for event in events)
    chunks = value(samples, "bridge_audio_delay_seconds_count")

    assert 150 <= chunks <= 202  # 12 seconds in messages of 60 ms
    assert value(samples, "bridge_result_delay_seconds_count", endpoint="webhook") == finals
    assert value(samples, "bridge_delivery_lag_seconds_count", endpoint="webhook") == len(events)
    posts = value(samples, "bridge_delivery_posts_total")
    assert value(samples, "bridge_webhook_answer_seconds_count", endpoint="webhook") == posts
    assert value(samples, "bridge_delivery_attempts_bucket", endpoint="webhook", le="1.0") == posts
    assert value(samples, "bridge_store_commit_seconds_count") > 0
    assert value(samples, "bridge_loop_delay_seconds_count") > 0


def test_bounds_and_what_fills_them_stand_side_by_side(after_a_call):
    samples, _ = after_a_call
    lengths = {labels["queue"]: length for labels, length in samples["bridge_queue_length"]}
    limits = {labels["queue"]: limit for labels, limit in samples["bridge_queue_limit"]}

    assert lengths.keys() == limits.keys()
    assert {"events", "store_writes", "kept_audio_bytes", "idle_connections", "posts_webhook"} <= lengths.keys()
    assert all(lengths[queue] < limits[queue] for queue in lengths)
    assert value(samples, "bridge_calls_limit") == 7
    assert 0 < value(samples, "process_open_fds") < value(samples, "process_max_fds")
    assert 0 < value(samples, "bridge_disk_free_bytes") < value(samples, "bridge_disk_bytes")
    assert value(samples, "bridge_database_bytes") > 0
    assert {labels["of"] for labels, _ in samples["bridge_sockets"]} == {
        "media", "media_before_start", "deepgram", "feeds", "posts_webhook",
    }  # fmt: skip


def test_labels_have_few_values_and_name_no_call_and_no_address(after_a_call):
    samples, _ = after_a_call
    labels = {(name, said) for found in samples.values() for has, _ in found for name, said in has.items()}

    assert {name for name, _ in labels} == {"le", "endpoint", "origin", "queue", "of"}
    assert not [said for _, said in labels if frames.CALL in said or "http" in said]


def test_missing_audio_is_told_by_carrier_and_cause_and_what_is_unknown_not_at_all():
    (missing, disk) = Measures(
        [
            Figures(
                "missing_seconds", "Missing", ("carrier", "why"), lambda: {("twilio", "overflow"): 0.5}, counts=True
            ),
            Figures("disk_bytes", "Disk", (), lambda: {"": None}),
        ],
        [],
    ).collect()

    assert [(sample.name, sample.labels, sample.value) for sample in missing.samples] == [
        ("bridge_missing_seconds_total", {"carrier": "twilio", "why": "overflow"}, 0.5)
    ]
    assert disk.samples == []


def test_a_histogram_of_no_endpoint_has_no_label():
    (told,) = Measures([], [Times("x_seconds", "X", {"": Histogram(MOMENTS)})]).collect()

    assert {tuple(sample.labels) for sample in told.samples} == {("le",), ()}
