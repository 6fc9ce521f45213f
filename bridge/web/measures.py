"""What is measured and cannot be told by one number: histograms, and figures that have a label.

Everything is read at the scrape, from where it is kept; nothing here is touched between two scrapes. Labels have few
values, which are known from the settings: endpoints, origins, carriers, queues; never a call or an address.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.call import CallRegistry, Services
from bridge.delivery.interims import IN_FLIGHT
from bridge.delivery.posting import Posting
from bridge.delivery.timing import Timing
from bridge.histogram import Histogram
from bridge.live import Live
from bridge.process import LoopDelay
from bridge.store.archive.archive import Archive
from bridge.store.audio import AudioStore
from bridge.store.base import ManagedStore
from bridge.store.usage import Usage
from bridge.web.media import MediaHandlers
from bridge.web.server import Connections

Values = Callable[[], Mapping[Any, float | None]]
"""Returns them by their label, or a tuple of labels; what is None is not known, and left out."""


_DELIVERED: Mapping[str, tuple[str, str]] = {
    "posts": ("posts", "POSTs to the endpoint"),
    "events": ("events", "Events that the endpoint has taken, or is not told"),
    "parked": ("park", "Calls whose delivery was given up after days of trying"),
    "skipped": ("skip", "Events that the endpoint does not accept"),
}
"""What is counted of each endpoint, by what a sender calls it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A metric with a value for each of its labels."""

    name: str
    what: str
    """Its description."""
    labels: tuple[str, ...]
    now: Values
    counts: bool = False
    """It is a counter, not a gauge."""


@dataclass(frozen=True, slots=True)
class Times:
    """Histograms, by endpoint, or one of the whole process, without a label."""

    name: str
    what: str
    of: Mapping[str, Histogram]


class Measures(Collector):
    """Reads them at each scrape."""

    def __init__(self, figures: Sequence[Figures], times: Sequence[Times]) -> None:
        self._figures = figures
        self._times = times

    def collect(self) -> Iterator[Metric]:
        for each in self._figures:
            family = CounterMetricFamily if each.counts else GaugeMetricFamily
            metric = family(f"bridge_{each.name}", each.what, labels=each.labels)
            for labels, value in each.now().items():
                if value is not None:
                    metric.add_metric(((labels,) if isinstance(labels, str) else labels)[: len(each.labels)], value)
            yield metric
        for measured in self._times:
            names = [] if "" in measured.of else ["endpoint"]
            histograms = HistogramMetricFamily(f"bridge_{measured.name}", measured.what, labels=names)
            for endpoint, histogram in measured.of.items():
                histograms.add_metric([endpoint] if names else [], histogram.buckets, histogram.total)
            yield histograms


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The parts that are measured."""

    registry: CallRegistry
    services: Services
    store: ManagedStore
    audio: AudioStore
    archive: Archive | None = None
    posting: Posting
    live: Live
    connections: Connections
    media: MediaHandlers
    usage: Usage
    loop_delay: LoopDelay
    max_calls: int
    spans: Mapping[str, int]
    """Of traces, by what became of them; empty where nothing is traced."""

    def measures(self) -> Measures:
        """All of it."""
        return Measures([*self._of_calls(), *self._of_delivery(), *self._of_the_disk(), *self._bounds()], self._times())

    def _times(self) -> list[Times]:
        def each(of: Callable[[Timing], Histogram]) -> dict[str, Histogram]:
            return {name: of(timing) for name, timing in self.posting.timings.items()}

        alone = {
            "audio_delay_seconds": (
                "From the read that completed a chunk of audio until Deepgram's socket was handed it",
                self.services.delay.histogram,
            ),
            "store_commit_seconds": ("How long a commit of events took", self.store.load.commit_seconds),
            "loop_delay_seconds": (
                "How late the event loop was, sampled ten times a second",
                self.loop_delay.histogram,
            ),
        }
        return [
            *(Times(name, what, {"": histogram}) for name, (what, histogram) in alone.items()),
            Times("result_delay_seconds", "From Deepgram's final to its first POST", each(lambda of: of.result)),
            Times("webhook_answer_seconds", "From a POST to its answer, or failure", each(lambda of: of.answer)),
            Times("delivery_lag_seconds", "From an event to the 2xx that accepted it", each(lambda of: of.lag)),
            Times("delivery_attempts", "Tries that an accepted batch of events took", each(lambda of: of.attempts)),
        ]

    def _of_calls(self) -> Iterator[Figures]:
        yield Figures("calls_limit", "Calls that may go on at once", (), lambda: {"": self.max_calls})
        yield Figures(
            "audio_missing_seconds",
            "Audio that was told to be missing, by carrier and cause, since the start",
            ("carrier", "why"),
            lambda: {labels: missing / 1000 for labels, missing in self.services.missing.items()},
            counts=True,
        )
        yield Figures(
            "audio_waiting_seconds",
            "Audio of all calls that Deepgram has not been sent",
            (),
            lambda: {"": self._unsent},
        )
        yield Figures(
            "deepgram_origin_refuses_account",
            "1: this origin refuses the key or the account, which a person has to mend",
            ("origin",),
            lambda: dict(self.services.origins.refusing),
        )

        yield Figures(
            "trace_spans", "Spans of traces, by what became of them", ("became",), lambda: dict(self.spans), counts=True
        )

    def _of_delivery(self) -> Iterator[Figures]:
        yield Figures(
            "endpoint_refuses",
            "1: the endpoint is down or gone, and its circuit breaker is open",
            ("endpoint",),
            lambda: {name: not sender.healthy for name, sender in self.posting.senders.items()},
        )
        yield Figures(
            "endpoint_calls_waiting",
            "Calls of which something waits for the endpoint",
            ("endpoint",),
            self.posting.waiting,
        )
        yield Figures(
            "dead_letters",
            "Calls whose delivery was given up; `bridge deliver` takes it up again",
            ("endpoint",),
            lambda: dict(self.usage.dead_letters),
        )
        for name, (counter, what) in _DELIVERED.items():
            yield Figures(f"endpoint_{name}", what, ("endpoint",), partial(self._counted, counter), counts=True)

    def _counted(self, counter: str) -> Mapping[str, float]:
        return {name: counters[counter] for name, counters in self.posting.counters.items()}

    def _of_the_disk(self) -> Iterator[Figures]:
        usage, audio = self.usage, self.audio
        yield Figures("disk_bytes", "The disk that DATA_DIR is on", (), lambda: {"": usage.disk})
        yield Figures("disk_free_bytes", "What may still be written there", (), lambda: {"": usage.free})
        yield Figures("database_bytes", "The record, with its write-ahead log", (), lambda: {"": usage.database})
        yield Figures("recordings", "Recordings, by the last look", (), lambda: {"": usage.recordings})
        yield Figures("recordings_bytes", "Their audio", (), lambda: {"": usage.recorded})
        yield Figures("kept_audio_bytes", "Audio that is kept until it is transcribed", (), lambda: {"": audio.used})
        yield Figures("kept_audio_limit_bytes", "BRIDGE_AUDIO_LIMIT", (), lambda: {"": audio.limit})

        if archive := self.archive:
            what = "Calls whose audio is to be brought to the object store, or away"
            yield Figures("archive_calls_waiting", what, (), lambda: {"": archive.waiting})
            what = "1: the object store does not do what it is asked"
            yield Figures("archive_fails", what, (), lambda: {"": archive.trouble is not None})

    def _bounds(self) -> Iterator[Figures]:
        yield Figures("sockets", "Open sockets, by what they are for", ("of",), self._sockets)
        what = "What waits in a bounded queue, in its own unit"
        yield Figures(
            "queue_length", what, ("queue",), lambda: {name: now for name, (now, _) in self._queues().items()}
        )
        what = "How much may wait there; beyond it something is refused, dropped and counted, or left with its sender"
        yield Figures(
            "queue_limit", what, ("queue",), lambda: {name: most for name, (_, most) in self._queues().items()}
        )

    @property
    def _unsent(self) -> float:
        return sum(call.control.unsent for call in self.registry.calls.values())

    def _sockets(self) -> Mapping[str, float]:
        return {
            "media": self.media.open,
            "media_before_start": self.media.starting,
            "deepgram": self.services.origins.sockets.total(),
            "feeds": self.live.followers,
            **{f"posts_{name}": sender.poster.connections for name, sender in self.posting.senders.items()},
        }

    def _queues(self) -> dict[str, tuple[float, float]]:
        """Each with its bound."""
        backlog, idle = self.registry.backlog, self.connections.idle
        queues: dict[str, tuple[float, float]] = {
            "events": (backlog.waiting, backlog.limit),
            "store_writes": (self.store.load.waiting, self.store.load.capacity),
            "kept_audio_bytes": (self.audio.waiting, self.audio.most_waiting),
            "idle_connections": (len(idle), idle.of_all),
        }
        for name, sender in self.posting.senders.items():
            queues[f"posts_{name}"] = sender.breaker.in_flight, sender.breaker.most
            queues[f"interims_{name}"] = sender.interims_in_flight, IN_FLIGHT
        return queues
