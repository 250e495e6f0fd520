"""Lives of what accounts own, from start to end, by the provider's own client or the closest there is.

No provider's package has calls for these: they go through what its base client offers, so that address, credential,
framing and exceptions are the client's own. Each test says what that is.
"""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import generalcompute as gc_sdk  # type: ignore[import-untyped]
import openai
import pytest
import requests
from generalcompute._client import AsyncBaseClient, BaseClient  # type: ignore[import-untyped]
from openai import AsyncOpenAI, OpenAI

from emulator import Emulation, Handle

SIGNUPS = "/v1/public/agent-signups"
EMAIL = {"email": "agent@example.org"}
QUESTION = "Why is the sky blue?"
ASKED = {"message": QUESTION}
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
AGENT = {"agent_name": "Sky Watcher", "agent_description": "Looks up", "model": "qwen3-8b", "instructions": "Be brief."}


def detail(error: openai.APIStatusError) -> str:
    return str(error.response.json()["detail"])


class TestSignup:
    """The generalcompute package, by `request` of its base client, which needs some key before there is one."""

    def test_from_an_address_to_a_chat_with_the_new_key(self, generalcompute: Handle) -> None:
        with BaseClient(generalcompute.api_key, generalcompute.root_url) as nobody:
            signup = nobody.request("POST", SIGNUPS, EMAIL)
            assert signup["destination"] == "ag***@example.org"
            with pytest.raises(gc_sdk.APIError, match="Email already has an active signup"):
                nobody.request("POST", SIGNUPS, EMAIL)
            code = generalcompute.outbox[-1].values["code"]
            verify = f"{SIGNUPS}/{signup['signupId']}/verify"
            with pytest.raises(gc_sdk.BadRequestError, match="Invalid verification code") as caught:
                nobody.request("POST", verify, {"code": "000000" if code != "000000" else "111111"})
            assert caught.value.param == "code"
            account = nobody.request("POST", verify, {"code": code})
        with gc_sdk.GeneralCompute(account["apiKey"], generalcompute.root_url) as agent:
            reply = agent.chat.completions.create(model="gpt-oss-120b", messages=MESSAGES)
            *_, last = agent.chat.completions.create(model="gpt-oss-120b", messages=MESSAGES, stream=True)
            assert [model.id for model in agent.models.list().data] == generalcompute.models
        assert "sky" in reply.choices[0].message.content
        assert [entry.status for entry in generalcompute.journal] == [201, 409, 400, 200, 200, 200, 200]
        usages = [(reply.usage.prompt_tokens, reply.usage.completion_tokens)]
        usages.append((last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]))
        costs = [(Decimal("0.21") * prompt + Decimal("0.79") * said) / 1_000_000 for prompt, said in usages]
        charged = [entry.raw["charged"] for entry in generalcompute.journal[4:6]]
        assert [Decimal(one["amount"]) for one in charged] == costs
        assert Decimal(charged[1]["balance"]) == 5 - sum(costs)

    def test_a_code_that_came_too_late(self, emulator: Emulation, generalcompute: Handle) -> None:
        with BaseClient(generalcompute.api_key, generalcompute.root_url) as nobody:
            signup = nobody.request("POST", SIGNUPS, EMAIL)
            emulator.clock.advance("15m")
            with pytest.raises(gc_sdk.BadRequestError, match="Verification code has expired"):
                nobody.request("POST", f"{SIGNUPS}/{signup['signupId']}/verify", generalcompute.outbox[-1].values)

    def test_asynchronously(self, generalcompute: Handle) -> None:
        async def sign_up() -> Any:
            async with AsyncBaseClient(generalcompute.api_key, generalcompute.root_url) as nobody:
                signup = await nobody.request("POST", SIGNUPS, EMAIL)
                code = {"code": generalcompute.outbox[-1].values["code"]}
                account = await nobody.request("POST", f"{SIGNUPS}/{signup['signupId']}/verify", code)
            async with gc_sdk.AsyncGeneralCompute(account["apiKey"], generalcompute.root_url) as agent:
                return await agent.chat.completions.create(model="gpt-oss-120b", messages=MESSAGES)

        assert "sky" in asyncio.run(sign_up()).choices[0].message.content


class TestAgent:
    """Nugen has no package; its notebooks take openai, whose `get`, `post`, `patch` and `delete` reach any path."""

    @pytest.fixture
    def nugen(self, emulator: Emulation) -> Handle:
        return emulator["nugen"]

    @pytest.fixture
    def client(self, nugen: Handle) -> Iterator[OpenAI]:
        with OpenAI(base_url=f"{nugen.origin}/api/v3", api_key=nugen.api_key, max_retries=0) as made:
            yield made

    def test_created_run_counted_and_deleted(self, client: OpenAI) -> None:
        made: Any = client.post("/agents/create", body=AGENT, cast_to=object)
        agent, run = f"/agents/{made['data']['id']}", "/agents/run-agents/sky_watcher/run"
        assert made["data"]["name"] == "sky_watcher"
        with pytest.raises(openai.BadRequestError) as taken:
            client.post("/agents/create", body=AGENT, cast_to=object)
        assert "already exists" in detail(taken.value)
        assert client.get(agent, cast_to=object) == made

        told: Any = client.post(run, body=ASKED, cast_to=object)
        assert (told["model"], "sky" in told["response"]) == ("qwen3-8b", True)
        changed: Any = client.patch(agent, body={"model": "nugen-flash-instruct"}, cast_to=object)
        assert changed["data"]["base_model"] == "nugen-flash-instruct"
        with pytest.raises(openai.InternalServerError) as retired:
            client.post(run, body=ASKED, cast_to=object)
        assert "may not be deployed" in detail(retired.value)

        usage: Any = client.get("/agents/usage", cast_to=object)
        assert usage["data"]["totalUsage"] == 1
        assert usage["data"]["totalTokens"] == told["usage"]["total_tokens"]
        client.delete(agent, cast_to=type(None))
        with pytest.raises(openai.NotFoundError):
            client.get(agent, cast_to=object)
        with pytest.raises(openai.NotFoundError):
            client.post(run, body=ASKED, cast_to=object)
        assert client.get("/agents/usage", cast_to=object) == usage

    def test_a_run_as_a_stream(self, nugen: Handle, client: OpenAI) -> None:
        nugen.use("agents-stream")
        stream = client.post(
            "/agents/run-agents/support_agent/run",
            body=ASKED,
            cast_to=object,
            stream=True,
            stream_cls=openai.Stream[object],
        )
        events: list[Any] = list(stream)
        assert "sky" in "".join(event["choices"][0]["delta"].get("text", "") for event in events)

    def test_asynchronously(self, nugen: Handle) -> None:
        async def live() -> Any:
            async with AsyncOpenAI(base_url=f"{nugen.origin}/api/v3", api_key=nugen.api_key, max_retries=0) as client:
                made: Any = await client.post("/agents/create", body=AGENT, cast_to=object)
                path = "/agents/run-agents/sky_watcher/run"
                told: Any = await client.post(path, body=ASKED, cast_to=object)
                await client.delete(f"/agents/{made['data']['id']}", cast_to=type(None))
                return told, await client.get("/agents", cast_to=object)

        told, left = asyncio.run(live())
        assert "sky" in told["response"]
        assert [agent["name"] for agent in left["agents"]] == ["support_agent"]


class TestFileAndAssistant:
    """The peakprivacy package, by `request` of its HTTP client, which has GET, and POST of JSON.

    It takes every status but 200 for an error, the 201 of a new assistant included, and the error has what was made.
    What it cannot send, forms, PUT and DELETE, goes by requests, on which it is built, with the headers it sends.
    """

    @pytest.fixture
    def peakprivacy(self, emulator: Emulation) -> Handle:
        return emulator["peakprivacy"]

    @pytest.fixture
    def client(self, peakprivacy: Handle, monkeypatch: pytest.MonkeyPatch) -> Any:
        for name, value in peakprivacy.env.items():
            monkeypatch.setenv(name, value)
        import peakprivacy as sdk  # type: ignore[import-untyped]
        from peakprivacy.utils.http_client import HttpClient  # type: ignore[import-untyped]

        made = sdk.PeakPrivacy()
        return HttpClient(made.get_api_url(), made.get_api_token())

    def ask(self, peakprivacy: Handle, method: str, path: str, **sent: Any) -> requests.Response:
        url = f"{peakprivacy.base_url}/{path}"
        return requests.request(method, url, headers=peakprivacy.headers, timeout=30, **sent)

    def test_uploaded_attached_queried_and_deleted(self, peakprivacy: Handle, client: Any) -> None:
        import peakprivacy as sdk

        parts = {"files[]": ("sky.txt", b"Blue light scatters most.", "text/plain")}
        (file,) = self.ask(peakprivacy, "POST", "files", files=parts).json()
        assert file in client.request("GET", "files")["data"]

        wanted = {"name": "Sky", "model": "gpt-4", "temperature": 0.5, "anonymize": True, "file_ids": [file["id"]]}
        with pytest.raises(sdk.UnprocessableEntityError) as refused:
            client.request("POST", "ai/assistants", {**wanted, "file_ids": ["nope"]})
        assert list(refused.value.response["errors"]) == ["file_ids"]
        with pytest.raises(sdk.ApiStatusError) as created:
            client.request("POST", "ai/assistants", wanted)
        assert created.value.status_code == 201
        assistant = created.value.response
        assert assistant["files"] == [{**file, "size": str(file["size"])}]
        path = f"ai/assistants/{assistant['id']}"
        assert client.request("GET", path) == assistant

        reply = client.request("POST", f"{path}/query", ASKED)
        assert "sky" in sdk.ChatCompletion(reply).choices[0].message.content

        assert self.ask(peakprivacy, "DELETE", f"files/{file['id']}").ok
        assert client.request("GET", path)["files"] == []
        changed = self.ask(peakprivacy, "PUT", path, json={**wanted, "name": "Heaven", "file_ids": []})
        assert changed.json()["name"] == "Heaven"
        assert self.ask(peakprivacy, "DELETE", path).ok
        for gone in (path, f"files/{file['id']}"):
            with pytest.raises(sdk.NotFoundError):
                client.request("GET", gone)

    def test_a_subscription_that_is_used_up(self, peakprivacy: Handle, client: Any) -> None:
        import peakprivacy as sdk

        (assistant,) = client.request("GET", "ai/assistants")
        peakprivacy.fail("quota_exhausted")
        with pytest.raises(sdk.PermissionDeniedError):
            client.request("POST", f"ai/assistants/{assistant['id']}/query", ASKED)
