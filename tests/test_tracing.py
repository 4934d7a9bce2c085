"""Through `trace_configs`: OpenTelemetry's instrumentation as it is, and aiohttp's own signals."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import orjson
import pytest
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from contactsdk import ContactClient, Credentials, RejectedError, RetryPolicy, UncertainError
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.examples import a_contact


class Traced:
    """A client whose spans are kept here."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("the caller's")
        self.client = ContactClient(
            sandbox.url,
            Credentials(sandbox.key, sandbox.secret),
            retry=RetryPolicy(base_s=0.001),
            trace_configs=[create_trace_config(tracer_provider=provider)],
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        spans = self._exporter.get_finished_spans()
        return [span for span in spans if span.kind is SpanKind.CLIENT]


@pytest.fixture
async def traced(sandbox: Sandbox) -> AsyncIterator[Traced]:
    traced = Traced(sandbox)
    async with traced.client:
        yield traced


async def test_each_attempt_has_a_span_under_the_callers(sandbox: Sandbox, traced: Traced) -> None:
    sandbox.script(Fault(FaultKind.THROTTLED), Fault(FaultKind.UNAVAILABLE))

    with traced.tracer.start_as_current_span("import") as callers:
        await traced.client.add_or_update(a_contact())

    assert len(traced.spans) == len(sandbox.ledger.requests) == 3
    for span in traced.spans:
        assert span.parent == callers.get_span_context()


async def test_attempts_of_a_bulk_run_are_under_the_callers_span_too(
    sandbox: Sandbox, traced: Traced
) -> None:
    contacts = [a_contact(last_name=f"No {number}") for number in range(5)]

    with traced.tracer.start_as_current_span("import") as callers:
        await traced.client.add_or_update_many(contacts)

    assert [span.parent for span in traced.spans] == 5 * [callers.get_span_context()]


async def test_spans_hold_nothing_of_a_contact_nor_of_the_key(
    sandbox: Sandbox, traced: Traced
) -> None:
    contact = a_contact(phone="+61 400 000 000", external_id="ext-1", groups=[99])
    with pytest.raises(RejectedError):
        await traced.client.add_or_update(contact)
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    with pytest.raises(UncertainError):
        await traced.client.add_or_update(attrs.evolve(contact, groups=[10]))

    assert len(traced.spans) == 2
    written = "".join(span.to_json() for span in traced.spans)
    assert "addOrUpdateContact" in written
    for value in ("Ada", "Archer", "ada@", "+61", "ext-1", sandbox.key, sandbox.secret):
        assert value not in written


@pytest.mark.parametrize("handed_in", [False, True])
async def test_traces_hear_of_the_answer(sandbox: Sandbox, handed_in: bool) -> None:
    told: list[bytes] = []

    async def on_answer(
        session: aiohttp.ClientSession,
        context: object,
        params: aiohttp.TraceResponseChunkReceivedParams,
    ) -> None:
        told.append(params.chunk)

    trace = aiohttp.TraceConfig()
    trace.on_response_chunk_received.append(on_answer)
    credentials = Credentials(sandbox.key, sandbox.secret)

    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        more: dict[str, Any] = {"session": session} if handed_in else {"trace_configs": [trace]}
        async with ContactClient(sandbox.url, credentials, **more) as client:
            contact_id = await client.add_or_update(a_contact())

    assert [orjson.loads(answer)["id"] for answer in told] == [contact_id]
