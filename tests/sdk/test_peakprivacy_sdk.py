"""The peakprivacy package, configured by the environment variables the handle gives."""

import json
from typing import Any

import pytest

from emulator import Emulation, Handle

MODEL = "mistral-swiss"
MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]
OPTIONS = ("anonymize", "max_tokens", "random_seed", "safe_prompt", "temperature", "top_p")


@pytest.fixture
def peakprivacy(emulator: Emulation) -> Handle:
    return emulator["peakprivacy"]


@pytest.fixture
def sdk(peakprivacy: Handle, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package, with its environment set. Imported late: it looks for an .env file when it is."""
    import peakprivacy as package  # type: ignore[import-untyped]

    for name, value in peakprivacy.env.items():
        monkeypatch.setenv(name, value)
    return package


@pytest.fixture
def client(sdk: Any) -> Any:
    return sdk.PeakPrivacy()


def test_the_address_ends_in_a_slash(peakprivacy: Handle) -> None:
    assert peakprivacy.env == {
        "PEAKPRIVACY_API_URL": peakprivacy.base_url + "/",
        "PEAKPRIVACY_API_TOKEN": peakprivacy.api_key,
    }


def test_a_completion(client: Any) -> None:
    reply = client.chat.completions.create(messages=MESSAGES, model=MODEL)
    assert (reply.object, reply.model) == ("chat.completion", MODEL)
    assert "sky" in reply.choices[0].message.content
    assert (reply.choices[0].finish_reason, reply.choices[0].index) == ("stop", 0)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_token_can_be_checked(sdk: Any, client: Any, peakprivacy: Handle) -> None:
    assert client.chat.check_api_token()
    assert [entry.operation for entry in peakprivacy.journal] == ["ping"]
    peakprivacy.fail("invalid_credentials")
    with pytest.raises(sdk.AuthenticationError):
        client.chat.check_api_token()


def test_everything_left_out_is_sent_as_null(client: Any, peakprivacy: Handle) -> None:
    client.chat.completions.create(messages=MESSAGES, model=MODEL)
    sent = peakprivacy.journal[-1].json
    assert sent == {"messages": MESSAGES, "model": MODEL, "stream": False, **dict.fromkeys(OPTIONS)}


def test_every_option(client: Any) -> None:
    options = dict(zip(OPTIONS, (False, 3, 7, True, 0.1, 0.9), strict=True))
    reply = client.chat.completions.create(messages=MESSAGES, model=MODEL, **options)
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 3


def test_a_stream_that_is_not_anonymised(client: Any, peakprivacy: Handle) -> None:
    peakprivacy.play([{"reply": {"text": "Blue light scatters most."}}])
    with client.chat.completions.create(messages=MESSAGES, model=MODEL, anonymize=False, stream=True) as stream:
        chunks = list(stream)
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["Blue", " light", " scatters", " most."]
    assert {chunk.choices[0].delta.role for chunk in chunks} == {"assistant"}
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}


@pytest.mark.parametrize("anonymize", [None, True])
def test_anonymising_makes_one_object_of_a_stream(client: Any, anonymize: bool | None) -> None:
    with client.chat.completions.create(messages=MESSAGES, model=MODEL, anonymize=anonymize, stream=True) as stream:
        (chunk,) = stream
    assert chunk.object == "chat.completion"
    assert "sky" in chunk.choices[0].delta.content


def test_the_models(client: Any, peakprivacy: Handle) -> None:
    models = client.models.list().models
    assert [model.id for model in models] == peakprivacy.models
    assert all(model.max_tokens > 0 for model in models)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "ApiStatusError"),
    ],
)
def test_each_status_is_its_exception(sdk: Any, client: Any, peakprivacy: Handle, status: int, kind: str) -> None:
    peakprivacy.fail(status)
    with pytest.raises(sdk.ApiStatusError) as caught:
        client.chat.completions.create(messages=MESSAGES, model=MODEL)
    assert type(caught.value).__name__ == kind
    assert caught.value.status_code == status


@pytest.mark.parametrize("status", [502, 504])
def test_the_page_of_a_gateway_is_no_json(sdk: Any, client: Any, peakprivacy: Handle, status: int) -> None:
    peakprivacy.fail(status)
    with pytest.raises(sdk.ApiConnectionError):
        client.chat.completions.create(messages=MESSAGES, model=MODEL)


def test_the_errors_of_a_bad_request(sdk: Any, client: Any) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        client.chat.completions.create(messages=[{"role": "user"}], model=MODEL, temperature=1.5)
    assert caught.value.response == {
        "message": "Validation error",
        "errors": {
            "messages.0.content": ["The messages.0.content field is required."],
            "temperature": ["The temperature field must not be greater than 1."],
        },
    }


@pytest.mark.parametrize(
    ("token", "kind", "body"),
    [
        ("invalid-token", "AuthenticationError", {"error": "Unauthenticated"}),
        ("expired-token", "AuthenticationError", {"error": "Unauthenticated"}),
        ("used-up-token", "PermissionDeniedError", {"error": "Subscription amount limit has been reached"}),
    ],
)
def test_keys_that_are_refused(sdk: Any, token: str, kind: str, body: dict[str, str]) -> None:
    with pytest.raises(sdk.ApiStatusError) as caught:
        sdk.PeakPrivacy(api_token=token).chat.completions.create(messages=MESSAGES, model=MODEL)
    assert (type(caught.value).__name__, caught.value.response) == (kind, body)


def test_a_stream_that_is_refused_keeps_the_response(sdk: Any, client: Any, peakprivacy: Handle) -> None:
    peakprivacy.fail("rate_limited")
    with pytest.raises(sdk.RateLimitError) as caught:
        client.chat.completions.create(messages=MESSAGES, model=MODEL, anonymize=False, stream=True)
    assert json.loads(caught.value.response.text) == {"message": "Too Many Attempts."}
    caught.value.response.close()
