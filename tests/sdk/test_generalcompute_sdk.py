"""The generalcompute package, which drops the path of its base URL: a port of the provider's own, tenant in the key."""

import asyncio
from collections.abc import Iterator
from typing import Any

import generalcompute as sdk  # type: ignore[import-untyped]
import pytest

from emulator import Handle

MODEL = "gpt-oss-120b"
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]


@pytest.fixture
def client(generalcompute: Handle) -> Iterator[Any]:
    with sdk.GeneralCompute(base_url=generalcompute.root_url, api_key=generalcompute.api_key, max_retries=0) as made:
        yield made


def joined(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_a_completion(client: Any, generalcompute: Handle) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert "sky" in reply.choices[0].message.content
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert generalcompute.journal[-1].path == "/chat/completions"
    assert generalcompute.journal[-1].operation == "createChatCompletion"


@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_the_path_of_the_base_url_is_dropped(generalcompute: Handle, path: str) -> None:
    base_url = f"{generalcompute.root_url}{path}"
    with sdk.GeneralCompute(base_url=base_url, api_key=generalcompute.api_key, max_retries=0) as client:
        client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert [entry.path for entry in generalcompute.journal] == ["/chat/completions"]


def test_what_the_client_sends(client: Any, generalcompute: Handle) -> None:
    client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0.5, made_up=1)
    assert generalcompute.journal[-1].json == {
        "model": MODEL,
        "messages": MESSAGES,
        "stream": False,
        "temperature": 0.5,
        "made_up": 1,
    }


def test_a_stream(client: Any) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
    assert "sky" in joined(chunks)
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == -(-len(joined(chunks)) // 4)


def test_tool_calls(client: Any) -> None:
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    reply = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=tools, tool_choice="required")
    assert reply.choices[0].finish_reason == "tool_calls"
    assert reply.choices[0].message.content == ""


def test_the_models(client: Any, generalcompute: Handle) -> None:
    models = client.models.list()
    assert models.object == "list"
    assert [model.id for model in models.data] == generalcompute.models
    assert generalcompute.journal[-1].path == "/models"


def test_the_asynchronous_client(generalcompute: Handle) -> None:
    async def talk() -> tuple[Any, list[dict[str, Any]], Any]:
        made = sdk.AsyncGeneralCompute(base_url=generalcompute.root_url, api_key=generalcompute.api_key)
        async with made as client:
            whole = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
            stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
            return whole, [chunk async for chunk in stream], await client.models.list()

    whole, chunks, models = asyncio.run(talk())
    assert "sky" in whole.choices[0].message.content
    assert "sky" in joined(chunks)
    assert len(models.data) == len(generalcompute.models)


@pytest.mark.parametrize(
    ("status", "kind", "reported"),
    [
        (400, sdk.BadRequestError, 400),
        (401, sdk.AuthenticationError, 401),
        (404, sdk.NotFoundError, 404),
        (429, sdk.RateLimitError, 429),
        (500, sdk.InternalServerError, 500),
        (503, sdk.InternalServerError, 500),
        (402, sdk.APIError, 402),
        (403, sdk.APIError, 403),
    ],
)
def test_each_status_is_its_exception(
    client: Any, generalcompute: Handle, status: int, kind: Any, reported: int
) -> None:
    generalcompute.fail(status)
    with pytest.raises(sdk.APIError) as caught:
        client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert type(caught.value) is kind
    assert caught.value.status == reported
    assert caught.value.message


@pytest.mark.parametrize("status", [502, 504])
def test_the_page_of_a_gateway_is_the_message(client: Any, generalcompute: Handle, status: int) -> None:
    generalcompute.fail(status)
    with pytest.raises(sdk.InternalServerError, match=f"{status} .*Gate"):
        client.chat.completions.create(model=MODEL, messages=MESSAGES)


def test_a_wrong_parameter_is_named(client: Any) -> None:
    with pytest.raises(sdk.BadRequestError, match='"top_p" must be less than or equal to 1') as caught:
        client.chat.completions.create(model=MODEL, messages=MESSAGES, top_p=1.5)
    assert caught.value.param == "top_p"


def test_a_forbidden_key_keeps_the_words_of_the_server(generalcompute: Handle) -> None:
    key = generalcompute.api_key.replace("gc_live", "gc_blocked")
    with (
        sdk.GeneralCompute(base_url=generalcompute.root_url, api_key=key) as client,
        pytest.raises(sdk.APIError, match="This API key is blocked") as caught,
    ):
        client.models.list()
    assert (caught.value.code, caught.value.type) == ("forbidden", "permission_error")


def test_no_http_error_is_tried_again(generalcompute: Handle) -> None:
    generalcompute.fail("rate_limited")
    with (
        sdk.GeneralCompute(base_url=generalcompute.root_url, api_key=generalcompute.api_key) as client,
        pytest.raises(sdk.RateLimitError),
    ):
        client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert [entry.status for entry in generalcompute.journal] == [429]


def test_a_stream_that_is_refused(client: Any, generalcompute: Handle) -> None:
    generalcompute.fail("unavailable")
    with pytest.raises(sdk.InternalServerError):
        list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))


def test_the_environment_variable_of_the_client(generalcompute: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert generalcompute.env["GENERALCOMPUTE_API_KEY"] == generalcompute.api_key
    monkeypatch.setenv("GENERALCOMPUTE_API_KEY", generalcompute.env["GENERALCOMPUTE_API_KEY"])
    with sdk.GeneralCompute(base_url=generalcompute.root_url) as client:
        assert client.models.list().data
