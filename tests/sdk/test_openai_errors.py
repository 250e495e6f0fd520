"""The openai package: its typed exceptions, its retries, and streams that break."""

import asyncio

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from emulator import Emulation, Handle

MODEL = "gpt-oss-120b"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Why is the sky blue?"}]

EXCEPTIONS: list[tuple[int, type[openai.APIStatusError], str | None]] = [
    (400, openai.BadRequestError, "invalid_request_error"),
    (401, openai.AuthenticationError, "invalid_api_key"),
    (402, openai.APIStatusError, "insufficient_quota"),
    (403, openai.PermissionDeniedError, "forbidden"),
    (404, openai.NotFoundError, "not_found"),
    (429, openai.RateLimitError, "rate_limit_exceeded"),
    (500, openai.InternalServerError, "internal_error"),
    (502, openai.InternalServerError, None),
    (503, openai.InternalServerError, "overloaded"),
    (504, openai.InternalServerError, None),
]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits half a second and more between attempts; here it need not."""
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.0)


def patient(handle: Handle) -> OpenAI:
    return OpenAI(base_url=handle.base_url, api_key=handle.api_key, max_retries=2)


def ask(client: OpenAI) -> None:
    client.chat.completions.create(model=MODEL, messages=MESSAGES)


@pytest.mark.parametrize(("status", "kind", "code"), EXCEPTIONS)
def test_each_status_is_its_exception(
    client: OpenAI, generalcompute: Handle, status: int, kind: type[openai.APIStatusError], code: str | None
) -> None:
    generalcompute.fail(status)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client)
    assert type(caught.value) is kind
    assert caught.value.status_code == status
    assert caught.value.code == code


@pytest.mark.parametrize(("status", "kind"), [(status, kind) for status, kind, _ in EXCEPTIONS])
def test_a_stream_that_is_refused_raises_before_it_begins(
    client: OpenAI, generalcompute: Handle, status: int, kind: type[openai.APIStatusError]
) -> None:
    generalcompute.fail(status)
    with pytest.raises(kind):
        client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)


def test_a_wrong_parameter_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=3)
    assert caught.value.param == "temperature"
    assert '"temperature" must be less than or equal to 2' in str(caught.value)


def test_a_wrong_key(generalcompute: Handle) -> None:
    with (
        OpenAI(base_url=generalcompute.base_url, api_key="gc_revoked_1", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        ask(client)
    assert caught.value.code == "invalid_api_key"


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-oss-120b:online", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(generalcompute: Handle, at_once: None, status: int) -> None:
    generalcompute.fail(status, times=2)
    with patient(generalcompute) as client:
        ask(client)
    assert [entry.status for entry in generalcompute.journal] == [status, status, 200]
    counts = [entry.raw["request"]["headers"]["x-stainless-retry-count"] for entry in generalcompute.journal]
    assert counts == ["0", "1", "2"]


def test_the_client_gives_up_after_its_retries(generalcompute: Handle, at_once: None) -> None:
    generalcompute.fail("rate_limited", times=3)
    with patient(generalcompute) as client, pytest.raises(openai.RateLimitError):
        ask(client)
    assert [entry.status for entry in generalcompute.journal] == [429, 429, 429]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_what_does_not_pass_is_not_tried_again(generalcompute: Handle, status: int) -> None:
    generalcompute.fail(status)
    with patient(generalcompute) as client, pytest.raises(openai.APIStatusError):
        ask(client)
    assert [entry.status for entry in generalcompute.journal] == [status]


def test_the_asynchronous_client_tries_again(generalcompute: Handle, at_once: None) -> None:
    async def talk() -> None:
        async with AsyncOpenAI(base_url=generalcompute.base_url, api_key=generalcompute.api_key) as client:
            await client.chat.completions.create(model=MODEL, messages=MESSAGES)

    generalcompute.fail("rate_limited", times=2)
    asyncio.run(talk())
    assert [entry.status for entry in generalcompute.journal] == [429, 429, 200]


def test_a_minute_that_is_used_up_ends_with_the_minute(
    client: OpenAI, emulator: Emulation, generalcompute: Handle
) -> None:
    emulator.clock.freeze()
    for _ in range(100):
        client.models.list()
    with pytest.raises(openai.RateLimitError):
        client.models.list()
    emulator.clock.advance("60s")
    assert client.models.list().data


def test_a_stream_that_is_cut_is_an_error_after_what_came(client: OpenAI, generalcompute: Handle) -> None:
    generalcompute.fail(fault={"cut": {"after_events": 3}})
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    assert [next(stream).choices[0].index for _ in range(3)] == [0, 0, 0]
    with pytest.raises(openai.APIConnectionError):
        next(stream)


def test_an_error_in_the_middle_of_a_stream(client: OpenAI, generalcompute: Handle) -> None:
    generalcompute.fail(fault={"error_event": {"after_events": 2, "refuse": "server_error"}})
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    assert len([next(stream), next(stream)]) == 2
    with pytest.raises(openai.APIError, match="Internal server error"):
        next(stream)


@pytest.mark.parametrize("fault", ["reset", "close", "garbage"])
def test_a_connection_that_breaks(client: OpenAI, generalcompute: Handle, fault: str) -> None:
    generalcompute.fail(fault={fault: {}})
    with pytest.raises(openai.APIConnectionError):
        ask(client)


def test_a_connection_that_breaks_is_tried_again(generalcompute: Handle, at_once: None) -> None:
    generalcompute.fail(fault={"reset": {}}, times=2)
    with patient(generalcompute) as client:
        ask(client)
    assert len(generalcompute.journal) == 3


def test_the_scenario_of_the_fixture(generalcompute: Handle, at_once: None) -> None:
    """Two rate limits that the client hides, then a stream that is cut, then as usual."""
    generalcompute.play("flaky_then_fine")
    with patient(generalcompute) as client:
        with pytest.raises(openai.APIConnectionError):
            list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
        assert list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
    assert [entry.status for entry in generalcompute.journal] == [429, 429, 200, 200]
