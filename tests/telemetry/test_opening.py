"""Whether calls are traced follows from the environment, by OpenTelemetry's names."""

import subprocess
import sys

import pytest

from bridge.telemetry import open_traces
from bridge.telemetry.opening import Untraced, is_wanted

AT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "bridge"}, False),
        (AT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}, False),
        (AT | {"OTEL_SDK_DISABLED": "True"}, False),
        (AT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_traces_are_wanted_where_the_environment_says_where_they_go(environment, wanted):
    assert is_wanted(environment) is wanted


async def test_another_protocol_is_told_and_stops_nothing(caplog):
    async with open_traces(AT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) as traces:
        assert isinstance(traces, Untraced)
        assert traces.parent("CA1") is None

    (line,) = caplog.records
    assert "http/protobuf" in line.reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "a-secret"),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "a-secret"),
    ],
)
async def test_a_setting_that_the_sdk_refuses_is_told_and_stops_nothing(name, value, monkeypatch, caplog):
    sdk = pytest.importorskip("opentelemetry.sdk.environment_variables", reason="the extra `otel` is not installed")
    if name not in vars(sdk).values():
        pytest.skip("this SDK knows no such setting")
    monkeypatch.setenv(name, value)
    async with open_traces(AT) as traces:
        assert isinstance(traces, Untraced)

    (line,) = (record for record in caplog.records if record.name == "bridge.traces")
    assert "OTEL_BSP_" in line.remedy
    assert "a-secret" not in str(vars(line))


def test_without_the_sdk_that_is_told_and_nothing_of_it_is_imported():
    code = """
import sys
class Missing:
    def find_spec(self, name, *_):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from bridge.telemetry import open_traces
print(type(open_traces({})).__name__, type(open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"})).__name__)
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["Untraced Untraced", "[]"]
    assert "calls are not traced" in done.stderr
