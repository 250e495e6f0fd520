"""`emulator.intercept()`: clients with the providers' real addresses, and nothing that reaches them."""

import asyncio
import importlib
import json
import socket
import sys
import threading
import unittest
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import generalcompute as generalcompute_sdk  # type: ignore[import-untyped]
import httpx
import httpx2
import pytest
import requests
from openai import APITimeoutError, AsyncOpenAI, OpenAI
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

import emulator as package
from emulator import BlockedConnection, Emulation, EmulatorServer, Handle
from emulator.interception.decorating import Interception

MODEL = "gpt-oss-120b"
MESSAGES: Any = [{"role": "user", "content": "Why is the sky blue?"}]
BODY = {"model": MODEL, "messages": MESSAGES}
ADDRESS = "https://api.generalcompute.com/v1"
CHAT = f"{ADDRESS}/chat/completions"
ELSEWHERE = "https://elsewhere.test/v1/chat/completions"
IMPATIENT = 0.01
LOOKUPS = ["getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"]
TOO_LONG = "a" * 70_000
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2, requests])


@pytest.fixture
def real(emulator: Emulation) -> Iterator[Handle]:
    """General Compute, within an interception."""
    with emulator.intercept(only=True):
        yield emulator["generalcompute"]


def headers() -> dict[str, str]:
    return {"Authorization": "Bearer gc_developer_1"}


def patched() -> list[Any]:
    """What an interception changes in the process."""
    return [
        *(library.HTTPTransport.handle_request for library in (httpx, httpx2)),
        *(library.AsyncHTTPTransport.handle_async_request for library in (httpx, httpx2)),
        HTTPAdapter.send,
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.socket.sendmsg,
        *(getattr(socket, name) for name in LOOKUPS),
        *sys.meta_path,
    ]


@LIBRARIES
class TestEveryLibrary:
    def test_a_completion(self, real: Handle, library: Any) -> None:
        reply = library.post(CHAT, json=BODY, headers=headers())
        assert (reply.status_code, str(reply.url)) == (200, CHAT)
        assert "sky" in reply.json()["choices"][0]["message"]["content"]
        [entry] = real.journal
        assert (entry.operation, entry.path, entry.json) == ("createChatCompletion", "/v1/chat/completions", BODY)
        assert entry.raw["request"]["headers"]["host"] == "api.generalcompute.com"

    def test_the_default_port(self, real: Handle, library: Any) -> None:
        url = CHAT.replace(".com/", ".com:443/")
        assert library.post(url, json=BODY, headers=headers()).status_code == 200

    def test_the_reply_is_that_of_the_socket(self, emulator: Emulation, library: Any) -> None:
        handle = emulator["generalcompute"]
        emulator.clock.freeze(1_800_000_000)
        over_socket = library.get(handle.base_url + "/models", headers=headers())
        handle.reset()
        with emulator.intercept():
            in_process = library.get(ADDRESS + "/models", headers=headers())
        assert in_process.content == over_socket.content
        assert in_process.headers == over_socket.headers

    def test_a_status_is_an_error_when_asked(self, real: Handle, library: Any) -> None:
        real.fail("rate_limited")
        reply = library.post(CHAT, json=BODY, headers=headers())
        error = requests.HTTPError if library is requests else library.HTTPStatusError
        with pytest.raises(error, match=r"429 .*api\.generalcompute\.com"):
            reply.raise_for_status()

    @pytest.mark.emulator(allow_unmatched=True)
    def test_a_redirect_is_followed(self, emulator: Emulation, library: Any) -> None:
        follow = {} if library is requests else {"follow_redirects": True}
        with emulator.intercept(only=True):
            reply = library.get("https://api.peakprivacy.ch/v1/ai/models", **follow)
        assert [hop.status_code for hop in reply.history] == [302]
        assert (reply.status_code, str(reply.url)) == (404, "https://api.peakprivacy.ch/login")

    def test_a_redirect_leads_to_no_other_host(self, emulator: Emulation, library: Any) -> None:
        follow = {} if library is requests else {"follow_redirects": True}
        referred = {**emulator["peakprivacy"].headers, "Accept": "text/html", "Referer": "https://elsewhere.test/"}
        with emulator.intercept(only=True), pytest.raises(BlockedConnection, match=r"elsewhere\.test"):
            library.post("https://api.peakprivacy.ch/v1/ai/completions", headers=referred, json={}, **follow)

    def test_other_hosts_are_refused(self, real: Handle, library: Any) -> None:
        for url in (ELSEWHERE, CHAT.replace("https", "http"), CHAT.replace(".com/", ".com:8443/")):
            with pytest.raises(BlockedConnection, match="only loopback addresses are open") as caught:
                library.post(url, json=BODY)
            assert url.split("/")[2].split(":")[0] in str(caught.value)
        assert real.journal == []

    def test_loopback_stays_open(self, real: Handle, library: Any, emulator_server: EmulatorServer) -> None:
        for url in (emulator_server.url, emulator_server.url.replace("127.0.0.1", "localhost")):
            assert library.get(f"{url}/_emulator/health").json()["status"] == "ok"

    def test_a_client_made_outside_is_itself_again_afterwards(self, emulator: Emulation, library: Any) -> None:
        with requests.Session() if library is requests else library.Client() as client:
            with emulator.intercept():
                assert client.get(f"{ADDRESS}/models", headers=headers()).status_code == 200
            base = emulator["generalcompute"].base_url
            assert client.get(f"{base}/models", headers=headers()).status_code == 200
        assert len(emulator["generalcompute"].journal) == 2

    def test_a_proxy_of_the_environment_has_no_say(
        self, real: Handle, library: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        assert library.post(CHAT, json=BODY, headers=headers()).status_code == 200


class TestStreams:
    def ask(self, library: Any, stack: ExitStack) -> Any:
        """The reply of a stream, not yet read."""
        body = {**BODY, "stream": True}
        if library is requests:
            return stack.enter_context(requests.post(CHAT, json=body, headers=headers(), stream=True, timeout=5))
        return stack.enter_context(library.stream("POST", CHAT, json=body, headers=headers(), timeout=5))

    def hours_away(self) -> Any:
        """An emulation whose streams have a second event that no test waits for."""
        emulation = Emulation(package.make_runtime(["generalcompute"], pace=0.001), "default", None, {})
        emulation["generalcompute"].fail(fault={"stall": {"at_event": 1, "duration": "9000h"}})
        return emulation.intercept()

    @LIBRARIES
    def test_all_of_one(self, real: Handle, library: Any) -> None:
        with ExitStack() as stack:
            lines = [line for line in self.ask(library, stack).iter_lines() if line]
        assert lines[-1] in ("data: [DONE]", b"data: [DONE]")
        assert len(lines) > 5

    @LIBRARIES
    def test_an_event_arrives_before_the_next_is_due(self, library: Any) -> None:
        with self.hours_away(), ExitStack() as stack:
            first = next(self.ask(library, stack).iter_lines(**({"chunk_size": 1} if library is requests else {})))
        text = first.decode() if isinstance(first, bytes) else first
        assert json.loads(text.removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"

    @pytest.mark.parametrize(
        ("library", "error"),
        [
            (httpx, httpx.RemoteProtocolError),
            (httpx2, httpx2.RemoteProtocolError),
            (requests, requests.exceptions.ChunkedEncodingError),
        ],
    )
    def test_a_cut_one_is_the_error_of_the_library(self, real: Handle, library: Any, error: Any) -> None:
        real.fail(fault={"cut": {"after_events": 2}})
        with ExitStack() as stack, pytest.raises(error):
            list(self.ask(library, stack).iter_lines())

    @pytest.mark.parametrize(
        ("library", "error"),
        [(httpx, httpx.ReadTimeout), (httpx2, httpx2.ReadTimeout), (requests, requests.exceptions.ConnectionError)],
    )
    def test_a_silence_ends_with_the_patience_of_the_client(self, library: Any, error: Any) -> None:
        body = {**BODY, "stream": True}
        with self.hours_away(), ExitStack() as stack, pytest.raises(error, match="timed out"):
            if library is requests:
                stack.enter_context(requests.post(CHAT, json=body, headers=headers(), timeout=IMPATIENT))
            else:
                reply = library.stream("POST", CHAT, json=body, headers=headers(), timeout=IMPATIENT)
                stack.enter_context(reply).read()


class TestWireFaults:
    @pytest.mark.parametrize("fault", [{"reset": {}}, {"close": {}}, {"garbage": {"data": "no HTTP"}}])
    @LIBRARIES
    def test_no_reply_is_the_error_that_it_is_over_a_socket(
        self, emulator: Emulation, library: Any, fault: dict[str, Any]
    ) -> None:
        handle, caught = emulator["generalcompute"], []
        handle.fail(fault=fault, times=2)
        error = requests.RequestException if library is requests else library.TransportError
        with emulator.intercept():
            for url in (handle.base_url, ADDRESS):
                with pytest.raises(error) as seen:
                    library.get(url + "/models", headers=headers())
                caught.append(type(seen.value))
        assert caught[0] is caught[1]

    @pytest.mark.parametrize(
        "fault",
        [
            {"close": {"after_bytes": 10}},
            {"reset": {"after_bytes": 10}},
            {"hang": {"after_bytes": 0, "duration": "0.001s"}},
            {"content_length_too_long": {}},
            {"bad_chunk_size": {}},
        ],
    )
    @LIBRARIES
    def test_a_body_without_its_end_is_the_error_that_it_is_over_a_socket(
        self, emulator: Emulation, library: Any, fault: dict[str, Any]
    ) -> None:
        self.test_no_reply_is_the_error_that_it_is_over_a_socket(emulator, library, fault)

    @pytest.mark.parametrize(
        ("library", "error"),
        [(httpx, httpx.ReadTimeout), (httpx2, httpx2.ReadTimeout), (requests, requests.exceptions.ConnectionError)],
    )
    def test_a_stall_ends_with_the_patience_of_the_client(self, real: Handle, library: Any, error: Any) -> None:
        real.fail(fault={"hang": {"after_bytes": 0, "duration": "9000h"}})
        with pytest.raises(error, match="timed out"):
            library.get(ADDRESS + "/models", headers=headers(), timeout=IMPATIENT)


class TestRequests:
    def test_a_retry_of_the_adapter(self, real: Handle) -> None:
        real.fail("rate_limited", times=2)
        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[429], allowed_methods=None)))
            session.headers.update(headers())
            reply = session.post(CHAT, json=BODY)
        assert reply.status_code == 200
        assert [entry.status for entry in real.journal] == [429, 429, 200]

    def test_an_adapter_of_ones_own(self, real: Handle) -> None:
        class Signing(HTTPAdapter):
            def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
                request.headers["X-Signed"] = "yes"

        with requests.Session() as session:
            session.mount("https://", Signing())
            session.get(f"{ADDRESS}/models", headers=headers())
        assert real.journal[0].raw["request"]["headers"]["x-signed"] == "yes"

    def test_a_body_without_a_length(self, real: Handle) -> None:
        parts = iter([json.dumps(BODY).encode()[:20], json.dumps(BODY).encode()[20:]])
        reply = requests.post(CHAT, data=parts, headers={**headers(), "Content-Type": "application/json"}, timeout=5)
        assert reply.status_code == 200
        assert real.journal[0].json == BODY

    def test_a_client_that_asks_before_it_sends(self, real: Handle) -> None:
        reply = requests.post(CHAT, json=BODY, headers={**headers(), "Expect": "100-continue"}, timeout=5)
        assert reply.status_code == 200
        assert real.journal[0].json == BODY

    def test_a_body_shorter_than_it_says(self, emulator: Emulation) -> None:
        """Nobody answers half a request, over a socket neither."""
        handle = emulator["generalcompute"]
        with emulator.intercept():
            for url in (handle.base_url, ADDRESS):
                with pytest.raises(requests.ReadTimeout, match="timed out"):
                    requests.post(url, data=b"", headers={**headers(), "Content-Length": "9"}, timeout=(5, IMPATIENT))
        assert handle.journal == []

    def test_an_address_that_is_too_long(self, real: Handle) -> None:
        reply = requests.get(f"{ADDRESS}/models?{TOO_LONG}", headers=headers(), timeout=5)
        assert (reply.status_code, reply.headers["x-emulator-notice"], reply.content) == (400, "not HTTP", b"")


class TestClients:
    def test_the_openai_client(self, real: Handle) -> None:
        with OpenAI(base_url=ADDRESS, api_key="gc_developer_1") as client:
            reply = client.chat.completions.create(model=MODEL, messages=MESSAGES)
            chunks = list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
        assert "sky" in (reply.choices[0].message.content or "")
        assert chunks[-1].usage is not None
        assert [entry.status for entry in real.journal] == [200, 200]

    def test_the_openai_client_made_before(self, emulator: Emulation) -> None:
        client = OpenAI(base_url=ADDRESS, api_key="gc_developer_1", max_retries=0)
        with client, emulator.intercept(only=True):
            assert client.models.list().data
            emulator["generalcompute"].fail(fault={"hang": {"after_bytes": 0, "duration": "9000h"}})
            with pytest.raises(APITimeoutError):
                client.models.list(timeout=IMPATIENT)

    def test_the_asynchronous_openai_client(self, real: Handle) -> None:
        async def talk() -> list[Any]:
            async with AsyncOpenAI(base_url=ADDRESS, api_key="gc_developer_1") as client:
                stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
                return [chunk async for chunk in stream]

        assert len(asyncio.run(talk())) > 5

    def test_the_generalcompute_client(self, real: Handle) -> None:
        async def talk() -> Any:
            async with generalcompute_sdk.AsyncGeneralCompute(api_key="gc_developer_1") as client:
                return await client.models.list()

        with generalcompute_sdk.GeneralCompute(api_key="gc_developer_1") as client:
            assert "sky" in client.chat.completions.create(**BODY).choices[0].message.content
            assert list(client.chat.completions.create(**BODY, stream=True))
        assert asyncio.run(talk()).data
        assert len(real.journal) == 3

    def test_the_peakprivacy_client(self, emulator: Emulation, monkeypatch: pytest.MonkeyPatch) -> None:
        import peakprivacy  # type: ignore[import-untyped]

        monkeypatch.delenv("PEAKPRIVACY_API_URL", raising=False)
        monkeypatch.setenv("PEAKPRIVACY_API_TOKEN", emulator["peakprivacy"].api_key)
        with emulator.intercept(only=True):
            reply = peakprivacy.PeakPrivacy().chat.completions.create(messages=MESSAGES, model="mistral-swiss")
        assert "sky" in reply.choices[0].message.content


class TestBlocks:
    def test_everything_is_as_it_was_afterwards(self, emulator: Emulation) -> None:
        before = patched()
        with emulator.intercept(only=True), emulator.intercept():
            assert patched() != before
        assert patched() == before
        with pytest.raises(LookupError), emulator.intercept(only=True):
            raise LookupError
        assert patched() == before

    def test_a_block_within_a_block(self, emulator: Emulation) -> None:
        handle = emulator["generalcompute"]
        with emulator.intercept(only=True):
            with package.intercept() as inner:
                httpx.get(f"{ADDRESS}/models", headers=headers())
                assert len(inner["generalcompute"].journal) == 1
                with pytest.raises(BlockedConnection):  # what is outside stays closed
                    httpx.get(ELSEWHERE)
            assert handle.journal == []
            httpx.get(f"{ADDRESS}/models", headers=headers())
        assert len(handle.journal) == 1

    def test_what_an_inner_block_does_not_serve_is_for_the_outer(self, emulator: Emulation) -> None:
        only_one = Emulation(package.make_runtime(["barrack"], pace=0), "default", None, {})
        with emulator.intercept(), only_one.intercept(only=True):
            assert httpx.get(f"{ADDRESS}/models", headers=headers()).status_code == 200
        assert len(emulator["generalcompute"].journal) == 1

    def test_blocks_that_end_in_another_order(self, emulator: Emulation) -> None:
        before = patched()
        first, second = package.intercept(), emulator.intercept()
        first_emulation = first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        httpx.get(f"{ADDRESS}/models", headers=headers())
        second.__exit__(None, None, None)
        assert first_emulation["generalcompute"].journal == []
        assert len(emulator["generalcompute"].journal) == 1
        assert patched() == before

    def test_threads_have_blocks_of_their_own(self) -> None:
        ready, found = threading.Barrier(4), {}

        def work(number: int) -> None:
            with package.intercept() as emulation:
                ready.wait()
                for _ in range(number):
                    requests.get(f"{ADDRESS}/models", headers=headers(), timeout=5)
                ready.wait()
                found[number] = len(emulation["generalcompute"].journal)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {0: 0, 1: 1, 2: 2, 3: 3}

    def test_a_thread_that_a_test_starts_is_within_its_block(self, real: Handle) -> None:
        thread = threading.Thread(target=httpx.get, args=(f"{ADDRESS}/models",), kwargs={"headers": headers()})
        thread.start()
        thread.join()
        assert len(real.journal) == 1

    def test_tasks_have_blocks_of_their_own(self) -> None:
        async def work(number: int, ready: asyncio.Barrier) -> int:
            with package.intercept() as emulation:
                await ready.wait()
                async with httpx.AsyncClient(base_url=ADDRESS, headers=headers()) as client:
                    for _ in range(number):
                        await client.get("/models")
                await ready.wait()
                return len(emulation["generalcompute"].journal)

        async def all_of_them() -> list[int]:
            ready = asyncio.Barrier(3)
            return await asyncio.gather(*(work(number, ready) for number in range(3)))

        assert asyncio.run(all_of_them()) == [0, 1, 2]

    def test_a_library_that_is_imported_within_the_block(
        self, emulator: Emulation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "httpx2"]:
            monkeypatch.delitem(sys.modules, name)
        with emulator.intercept(only=True):
            late = importlib.import_module("httpx2")
            assert late is not httpx2
            assert type(late.__spec__.loader) is type(httpx2.__spec__.loader)  # type: ignore[union-attr]
            assert late.get(f"{ADDRESS}/models", headers=headers()).status_code == 200
            with pytest.raises(BlockedConnection):
                late.get(ELSEWHERE)
        assert late.HTTPTransport.handle_request.__module__.startswith("httpx2")
        assert len(emulator["generalcompute"].journal) == 1

    def test_an_emulator_of_ones_own(self) -> None:
        with package.intercept() as emulation:
            handle = emulation["generalcompute"]
            assert (handle.base_url, handle.root_url) == (ADDRESS, None)
            handle.fail("rate_limited")
            statuses = [httpx.get(handle.base_url + "/models", headers=handle.headers).status_code for _ in range(2)]
            assert statuses == [429, 200]

    def test_a_decorator(self) -> None:
        @package.intercept(only=True)
        def ask() -> int:
            return httpx.get(f"{ADDRESS}/models", headers=headers()).status_code

        assert ask() == 200


@pytest.mark.parametrize("own", [False, True], ids=["an emulator of its own", "the emulation of a test"])
class TestDecorators:
    @pytest.fixture
    def decorate(self, own: bool, emulator: Emulation) -> Interception[Emulation]:
        return (package if own else emulator).intercept(only=True)

    def test_a_function(self, decorate: Interception[Emulation]) -> None:
        @decorate
        def ask(path: str) -> int:
            return httpx.get(ADDRESS + path, headers=headers()).status_code

        before = patched()
        assert (ask("/models"), ask(path="/models"), ask.__name__) == (200, 200, "ask")
        assert patched() == before

    def test_a_coroutine_function(self, decorate: Interception[Emulation]) -> None:
        @decorate
        async def ask(path: str) -> int:
            async with httpx.AsyncClient(headers=headers()) as client:
                await asyncio.sleep(0)
                with pytest.raises(BlockedConnection):
                    await client.get(ELSEWHERE)
                return (await client.get(ADDRESS + path)).status_code

        before = patched()
        waiting = ask("/models")
        assert patched() == before  # nothing has begun yet
        assert asyncio.run(waiting) == 200
        assert patched() == before

    def test_a_case_of_the_standard_library(self, decorate: Interception[Emulation]) -> None:
        seen = []

        class Case(unittest.IsolatedAsyncioTestCase):
            @decorate
            async def test_it(self) -> None:
                async with httpx.AsyncClient(headers=headers()) as client:
                    seen.append((await client.get(f"{ADDRESS}/models")).status_code)

        assert Case("test_it").run().wasSuccessful()  # type: ignore[union-attr]
        assert seen == [200]

    def test_within_itself(self, decorate: Interception[Emulation]) -> None:
        @decorate
        def down(levels: int) -> list[int]:
            below = down(levels - 1) if levels else []
            return [*below, httpx.get(f"{ADDRESS}/models", headers=headers()).status_code]

        before = patched()
        assert down(2) == [200, 200, 200]
        assert patched() == before

    def test_what_runs_after_the_call_is_refused(self, decorate: Interception[Emulation]) -> None:
        def generator() -> Iterator[int]:
            yield 1

        async def asynchronous() -> Any:
            yield 1

        for one in (generator, asynchronous, type("Case", (), {})):
            with pytest.raises(TypeError, match=r"`with emulator\.intercept\(\):`"):
                decorate(one)

    def test_without_parentheses(self, own: bool, emulator: Emulation) -> None:
        with pytest.raises(TypeError, match=r"@emulator\.intercept\(\)"):
            (package if own else emulator).intercept(lambda: None)  # type: ignore[arg-type]


class TestTheLastLineOfDefence:
    def test_sockets(self, real: Handle) -> None:
        for address in (("192.0.2.1", 443), ("elsewhere.test", 443), ("2001:db8::1", 443)):
            with pytest.raises(BlockedConnection, match=address[0]):
                socket.create_connection(address)
        for ask in (socket.socket.connect, socket.socket.connect_ex):
            with socket.socket() as sock, pytest.raises(BlockedConnection, match=r"192\.0\.2\.1:80"):
                ask(sock, ("192.0.2.1", 80))

    @pytest.mark.parametrize("host", ["192.0.2.1", "elsewhere.test"])
    def test_lookups(self, real: Handle, host: str) -> None:
        for look_up in (socket.gethostbyname, socket.gethostbyname_ex, socket.gethostbyaddr):
            with pytest.raises(BlockedConnection, match=rf"a lookup of {host}: "):
                look_up(host)
        with pytest.raises(BlockedConnection, match=rf"a connection to {host}:53: "):
            socket.getnameinfo((host, 53), 0)

    def test_datagrams(self, real: Handle) -> None:
        there = ("192.0.2.1", 53)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            with pytest.raises(BlockedConnection, match=r"192\.0\.2\.1:53"):
                sock.sendto(b"x", there)
            with pytest.raises(BlockedConnection, match=r"192\.0\.2\.1:53"):
                sock.sendto(b"x", 0, there)
            with pytest.raises(BlockedConnection, match=r"192\.0\.2\.1:53"):
                sock.sendmsg([b"x"], (), 0, there)

    def test_datagrams_within_this_machine(self, real: Handle) -> None:
        kinds = socket.AF_INET, socket.SOCK_DGRAM
        with socket.socket(*kinds) as receiver, socket.socket(*kinds) as sock:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(5)
            sock.sendto(b"1", receiver.getsockname())
            sock.sendto(b"2", 0, receiver.getsockname())
            sock.sendmsg([b"3"], (), 0, receiver.getsockname())
            sock.connect(receiver.getsockname())
            sock.sendmsg([b"4"])
            assert [receiver.recv(9) for _ in range(4)] == [b"1", b"2", b"3", b"4"]

    def test_lookups_of_this_machine(self, real: Handle) -> None:
        assert socket.gethostbyname("localhost") == "127.0.0.1"
        assert socket.gethostbyname_ex("127.0.0.1")[2] == ["127.0.0.1"]
        as_it_is = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        assert socket.getnameinfo(("192.0.2.1", 80), as_it_is) == ("192.0.2.1", "80")
        assert socket.getfqdn()  # which the standard library's servers ask for
        assert socket.getfqdn("127.0.0.1")

    @pytest.mark.parametrize("host", ["192.0.2.1", "elsewhere.test"])
    def test_asyncio(self, real: Handle, host: str) -> None:
        with pytest.raises(BlockedConnection, match=host):
            asyncio.run(asyncio.wait_for(asyncio.open_connection(host, 443), 5))

    def test_the_standard_library(self, real: Handle) -> None:
        with pytest.raises(BlockedConnection, match=r"api\.generalcompute\.com"):
            urllib.request.urlopen(f"{ADDRESS}/models")  # noqa: S310

    def test_what_is_of_this_machine(self, real: Handle, emulator_server: EmulatorServer, tmp_path: Path) -> None:
        port = int(emulator_server.url.rsplit(":", 1)[1])
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "::ffff:127.0.0.1"):  # noqa: S104
            socket.create_connection((host, port)).close()
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as sock:
            listener.bind(str(tmp_path / "socket"))
            listener.listen()
            sock.connect(str(tmp_path / "socket"))

    def test_listening(self, real: Handle) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert socket.getaddrinfo(socket.gethostname(), 0, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV)
            assert server.getsockname()[1]

    def test_without_only_nothing_is_changed(self, emulator: Emulation) -> None:
        before = socket.socket.connect, socket.getaddrinfo
        with emulator.intercept():
            assert (socket.socket.connect, socket.getaddrinfo) == before


class TestAiohttp:
    """Where it is installed."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("aiohttp", reason="aiohttp is not installed")

    def run(self, talk: Any) -> Any:
        aiohttp = importlib.import_module("aiohttp")

        async def within() -> Any:
            async with aiohttp.ClientSession(headers=headers()) as session:
                return await talk(aiohttp, session)

        return asyncio.run(within())

    def test_a_completion(self, real: Handle) -> None:
        async def talk(_: Any, session: Any) -> Any:
            async with session.post(CHAT, json=BODY) as reply:
                return reply.status, str(reply.url), await reply.json()

        status, url, content = self.run(talk)
        assert (status, url) == (200, CHAT)
        assert "sky" in content["choices"][0]["message"]["content"]
        assert real.journal[0].json == BODY

    def test_a_stream(self, real: Handle) -> None:
        async def talk(_: Any, session: Any) -> list[bytes]:
            async with session.post(CHAT, json={**BODY, "stream": True}) as reply:
                return [line.strip() async for line in reply.content]

        assert b"data: [DONE]" in self.run(talk)

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"reset": {}}, "ClientOSError"),
            ({"close": {}}, "ServerDisconnectedError"),
            ({"close": {"after_bytes": 10}}, "ClientPayloadError"),
        ],
    )
    def test_wire_faults(self, real: Handle, fault: dict[str, Any], error: str) -> None:
        real.fail(fault=fault)

        async def talk(aiohttp: Any, session: Any) -> None:
            with pytest.raises(getattr(aiohttp, error)):
                async with session.post(CHAT, json=BODY) as reply:
                    await reply.read()

        self.run(talk)

    @pytest.mark.parametrize(
        "fault",
        [
            {"content_length_too_long": {}},
            {"content_length_too_short": {}},
            {"conflicting_lengths": {}},
            {"bad_chunk_size": {}},
            {"huge_header": {}},
            {"garbage": {"status_line": True}},
        ],
    )
    def test_a_wrong_frame_is_what_it_is_over_a_socket(self, emulator: Emulation, fault: dict[str, Any]) -> None:
        handle = emulator["generalcompute"]
        emulator.clock.freeze(1_800_000_000)
        handle.fail(fault=fault, times=2)

        async def talk(aiohttp: Any, session: Any) -> list[Any]:
            return [await outcome(aiohttp, session, url) for url in (handle.base_url, ADDRESS)]

        async def outcome(aiohttp: Any, session: Any, url: str) -> Any:
            try:
                async with session.get(f"{url}/models", timeout=5) as reply:
                    return reply.status, reply.raw_headers, await reply.read()
            except aiohttp.ClientError as error:
                return type(error), getattr(error, "message", str(error))

        with emulator.intercept():
            over_socket, in_process = self.run(talk)
        assert over_socket == in_process

    def test_a_silence_ends_with_the_patience_of_the_client(self, real: Handle) -> None:
        real.fail(fault={"hang": {"after_bytes": 0, "duration": "9000h"}})

        async def talk(aiohttp: Any, session: Any) -> None:
            with pytest.raises(TimeoutError):
                async with session.post(CHAT, json=BODY, timeout=aiohttp.ClientTimeout(sock_read=IMPATIENT)) as reply:
                    await reply.read()

        self.run(talk)

    def test_a_client_that_asks_before_it_sends(self, real: Handle) -> None:
        async def talk(_: Any, session: Any) -> list[int]:
            return [(await session.post(CHAT, json=BODY, expect100=True, timeout=5)).status for _ in range(2)]

        assert self.run(talk) == [200, 200]
        assert [entry.json for entry in real.journal] == [BODY, BODY]

    def test_an_address_that_is_too_long(self, real: Handle) -> None:
        async def talk(_: Any, session: Any) -> Any:
            async with session.get(f"{ADDRESS}/models?{TOO_LONG}") as reply:
                return reply.status, reply.headers["x-emulator-notice"], await reply.read()

        assert self.run(talk) == (400, "not HTTP", b"")

    def test_other_hosts_are_refused(self, real: Handle) -> None:
        async def talk(_: Any, session: Any) -> None:
            with pytest.raises(BlockedConnection, match=r"elsewhere\.test"):
                await session.get(ELSEWHERE)

        self.run(talk)
