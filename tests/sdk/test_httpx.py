"""httpx and httpx2: over sockets, and in-process through `emulator.transport()`, where streams really stream."""

import asyncio
import json
from typing import Any

import httpx
import httpx2
import pytest
from openai import OpenAI

import emulator as package
from emulator import Emulation, Handle

QUESTION = [{"role": "user", "content": "What is machine learning?"}]
BARRACK = {"model": "openai/gpt-oss-120b", "messages": QUESTION}
NUGEN = {"model": "nugen-legal", "messages": QUESTION}
NO_PACE_TO_WAIT_FOR = 0.001  # of delays that would be hours


def lines(response: Any) -> list[str]:
    return [line.removeprefix("data: ") for line in response.iter_lines() if line]


class TestBarrack:
    def test_a_completion(self, emulator: Emulation) -> None:
        barrack = emulator["barrack"]
        reply = httpx.post(f"{barrack.base_url}/ai/chat/", headers=barrack.headers, json=BARRACK)
        assert reply.status_code == 200
        assert "machine" in reply.json()["choices"][0]["error"]["content"]

    def test_a_stream(self, emulator: Emulation) -> None:
        barrack = emulator["barrack"]
        with httpx.stream(
            "POST", f"{barrack.base_url}/ai/chat/", headers=barrack.headers, json={**BARRACK, "stream": True}
        ) as reply:
            found = lines(reply)
        assert found[-1] == "[DONE]"
        deltas = [choice["delta"] for line in found[:-1] for choice in json.loads(line)["choices"]]
        assert "machine" in "".join(delta.get("content", "") for delta in deltas)

    def test_the_environment(self, emulator: Emulation, monkeypatch: pytest.MonkeyPatch) -> None:
        barrack = emulator["barrack"]
        assert barrack.env == {"BARRACK_BASE_URL": barrack.base_url, "BARRACK_API_KEY": barrack.api_key}


class TestNugen:
    def test_a_completion(self, emulator: Emulation) -> None:
        nugen = emulator["nugen"]
        reply = httpx.post(f"{nugen.base_url}/inference/chat_text", headers=nugen.headers, json=NUGEN)
        assert reply.status_code == 200
        assert "machine" in reply.json()["choices"][0]["message"]["content"]

    def test_the_stream_of_the_variant(self, emulator: Emulation) -> None:
        nugen = emulator["nugen"]
        nugen.use("streaming")
        with httpx.stream(
            "POST", f"{nugen.base_url}/inference/chat_text", headers=nugen.headers, json={**NUGEN, "stream": True}
        ) as reply:
            found = lines(reply)
        assert found.pop() == "[DONE]"
        chunks = [json.loads(line) for line in found]
        assert [chunk for chunk in chunks if "usage" in chunk] == [chunks[-1]]

    def test_a_pool_of_connections(self, emulator: Emulation) -> None:
        nugen = emulator["nugen"]

        async def ask() -> list[int]:
            async with httpx.AsyncClient(base_url=nugen.base_url, headers=nugen.headers) as client:
                asked = [client.post("/inference/chat_text", json=NUGEN) for _ in range(20)]
                return [reply.status_code for reply in await asyncio.gather(*asked)]

        assert asyncio.run(ask()) == [200] * 20


@pytest.mark.parametrize("library", [httpx, httpx2])
class TestTransport:
    def url(self, handle: Handle) -> str:
        """The transport belongs to the test's tenant, so the path need not name it."""
        return f"http://any.test/{handle.id}/api/ai/chat/"

    def test_a_client(self, emulator: Emulation, library: Any) -> None:
        barrack = emulator["barrack"]
        with library.Client(transport=emulator.transport(library)) as client:
            reply = client.post(self.url(barrack), headers=barrack.headers, json=BARRACK)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
        assert [entry.operation for entry in barrack.journal] == ["chatWithAI"]

    def test_the_real_host_of_the_provider(self, emulator: Emulation, library: Any) -> None:
        barrack = emulator["barrack"]
        with library.Client(transport=emulator.transport(library)) as client:
            reply = client.post("https://barrack.ai/api/ai/chat/", headers=barrack.headers, json=BARRACK)
        assert reply.status_code == 200
        assert len(barrack.journal) == 1

    def test_the_reply_is_that_of_the_socket(self, emulator: Emulation, library: Any) -> None:
        barrack = emulator["barrack"]
        emulator.clock.freeze(1_800_000_000)
        with library.Client() as client:
            over_socket = client.post(f"{barrack.base_url}/ai/chat/", headers=barrack.headers, json=BARRACK)
        barrack.reset()
        with library.Client(transport=emulator.transport(library)) as client:
            in_process = client.post(self.url(barrack), headers=barrack.headers, json=BARRACK)
        assert in_process.content == over_socket.content
        assert in_process.headers == over_socket.headers

    def test_an_asynchronous_client(self, emulator: Emulation, library: Any) -> None:
        barrack = emulator["barrack"]

        async def ask() -> list[str]:
            async with (
                library.AsyncClient(transport=emulator.transport(library)) as client,
                client.stream(
                    "POST", self.url(barrack), headers=barrack.headers, json={**BARRACK, "stream": True}
                ) as reply,
            ):
                return [line async for line in reply.aiter_lines() if line]

        assert asyncio.run(ask())[-1] == "data: [DONE]"

    def test_an_event_arrives_before_the_next_is_due(self, library: Any) -> None:
        transport, request = self.stalling(library)
        with library.Client(transport=transport) as client, client.stream(**request) as reply:
            first = next(reply.iter_lines())
        assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"

    def test_an_event_arrives_before_the_next_is_due_asynchronously(self, library: Any) -> None:
        transport, request = self.stalling(library)

        async def first() -> str:
            async with library.AsyncClient(transport=transport) as client, client.stream(**request) as reply:
                return str(await anext(reply.aiter_lines()))

        assert json.loads(asyncio.run(first()).removeprefix("data: "))["object"] == "chat.completion.chunk"

    def stalling(self, library: Any) -> tuple[Any, dict[str, Any]]:
        """A stream whose second event is hours away: a transport that collects it first never answers."""
        runtime = package.make_runtime(["barrack"], pace=NO_PACE_TO_WAIT_FOR)
        barrack = Emulation(runtime, "default", "http://any.test", {})["barrack"]
        barrack.fail(fault={"stall": {"at_event": 1, "duration": "9000h"}}, times=2)
        url, body = f"{barrack.base_url}/ai/chat/", {**BARRACK, "stream": True}
        request = {"method": "POST", "url": url, "headers": barrack.headers, "json": body}
        return package.make_transport(runtime, None, library), request

    def test_a_client_of_trio_waits_by_its_clock(self, library: Any) -> None:
        trio, testing = pytest.importorskip("trio"), pytest.importorskip("trio.testing")
        transport, request = self.stalling(library)
        patient = {**request, "timeout": None}

        async def ask() -> tuple[list[str], float]:
            async with library.AsyncClient(transport=transport) as client, client.stream(**patient) as reply:
                return [line async for line in reply.aiter_lines() if line], trio.current_time()

        async def give_up() -> None:
            async with library.AsyncClient(transport=transport) as client, client.stream(**request) as reply:
                await reply.aread()

        began = (clock := testing.MockClock(autojump_threshold=0)).current_time()
        lines, ended = trio.run(ask, clock=clock)
        assert lines[-1] == "data: [DONE]"
        assert ended - began >= 9000 * 3600
        with pytest.raises(library.ReadTimeout):
            trio.run(give_up, clock=testing.MockClock(autojump_threshold=0))

    def test_a_cut_stream(self, emulator: Emulation, library: Any) -> None:
        barrack = emulator["barrack"]
        barrack.fail(fault={"cut": {"after_events": 2}})
        with (
            library.Client(transport=emulator.transport(library)) as client,
            client.stream(
                "POST", self.url(barrack), headers=barrack.headers, json={**BARRACK, "stream": True}
            ) as reply,
            pytest.raises(library.RemoteProtocolError),
        ):
            reply.read()

    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            ({"wrong_content_type": {"value": "a\r\nb: c"}}, ("content-type", "a??b: c")),
            ({"wrong_content_type": {"value": "text/€ü\x7f"}}, ("content-type", "text/?ü?")),
            (
                {"duplicate_headers": {"name": "content-type", "value": "\0\u2028"}},
                ("content-type", "application/json, ??"),
            ),
        ],
    )
    def test_header_values_are_as_harmless_as_on_a_socket(
        self, emulator: Emulation, library: Any, fault: dict[str, Any], told: tuple[str, str]
    ) -> None:
        handle = emulator["generalcompute"]
        handle.fail(fault=fault, times=3)
        url = handle.base_url + "/models"
        with library.Client(transport=emulator.transport(library)) as inside, library.Client() as outside:
            found = [client.get(url, headers=handle.headers).headers for client in (inside, outside)]

        async def ask() -> None:
            async with library.AsyncClient(transport=emulator.transport(library)) as client:
                found.append((await client.get(url, headers=handle.headers)).headers)

        asyncio.run(ask())
        for headers in found:
            headers.encoding = "latin-1"
            assert (told[0], headers.get(told[0]), "b" in headers) == (*told, False)

    def test_an_emulator_without_a_server(self, library: Any) -> None:
        url, headers = "https://api.nugen.in/inference/chat_text", {"Authorization": "Bearer any"}
        for _ in range(2):
            with library.Client(transport=package.transport(library)) as client:
                assert client.post(url, headers=headers, json=NUGEN).status_code == 200


def test_the_openai_client_in_process(emulator: Emulation) -> None:
    handle = emulator["generalcompute"]
    with (
        httpx2.Client(transport=emulator.transport(httpx2)) as http,
        OpenAI(base_url="https://api.generalcompute.com/v1", api_key=handle.api_key, http_client=http) as client,
    ):
        chunks = list(
            client.chat.completions.create(
                model="gpt-oss-120b", messages=[{"role": "user", "content": "Why is the sky blue?"}], stream=True
            )
        )
    assert chunks[-1].usage is not None
    assert [entry.status for entry in handle.journal] == [200]
