"""Whether calls are traced: where OpenTelemetry's SDK is installed (the extra `otel`) and the environment says where
traces go, by the names that OpenTelemetry has for it. Otherwise none of it is imported, and nothing is spent on it.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import importlib.util
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bridge.installing import with_extra
from bridge.traces import NoTraces, Traces

log = logging.getLogger("bridge.traces")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")


class OpenTraces(Traces, AbstractAsyncContextManager["OpenTraces"], Protocol):
    """Traces that are sent until the context is left, and then as far as that goes in a moment."""

    counters: Counter[str]
    """Spans that have `ended`, were `exported`, and could not be (`failed`)."""


class Untraced(NoTraces):
    """Nothing is traced, nor sent."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()

    async def __aenter__(self) -> "Untraced":
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to send."""


def open_traces(environment: Mapping[str, str]) -> OpenTraces:
    """What the environment asks for. What cannot be done is logged, and stops nothing."""
    if not is_wanted(environment):
        return Untraced()
    protocol = next((value for name in _PROTOCOLS if (value := environment.get(name, "").strip())), "http/protobuf")
    if protocol != "http/protobuf":
        log.warning("calls are not traced", extra={"reason": "traces are sent by OTLP over HTTP (http/protobuf) only"})
        return Untraced()
    if not _is_installed():
        said = {"reason": "OpenTelemetry's SDK is not installed", "remedy": with_extra("otel")}
        log.warning("calls are not traced", extra=said)
        return Untraced()
    from bridge.telemetry.otel import OtelTraces

    try:
        return OtelTraces.of_environment()
    except Exception:  # noqa: BLE001 - the SDK raises what it likes of a setting, and quotes it
        remedy = "look at OTEL_BSP_…, OTEL_SPAN_…, OTEL_EXPORTER_OTLP_… and OTEL_TRACES_SAMPLER"
        log.warning("calls are not traced", extra={"reason": "OpenTelemetry refuses its settings", "remedy": remedy})
        return Untraced()


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether it names a receiver of traces, and does not forbid them. An SDK that came with another package is not
    asked for by that."""

    def value(name: str) -> str:
        return environment.get(name, "").strip().lower()

    if value("OTEL_SDK_DISABLED") == "true":
        return False
    if exporters := value("OTEL_TRACES_EXPORTER"):
        return "otlp" in exporters.split(",")
    return any(value(name) for name in _ENDPOINTS)


def _is_installed() -> bool:
    try:
        return all(importlib.util.find_spec(name) for name in _NEEDED)
    except ModuleNotFoundError:  # a package above it
        return False
