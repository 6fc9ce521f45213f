"""Traces of calls for those who run the bridge, by OpenTelemetry where it is installed and asked for."""

from bridge.telemetry.opening import OpenTraces, open_traces

__all__ = ["OpenTraces", "open_traces"]
