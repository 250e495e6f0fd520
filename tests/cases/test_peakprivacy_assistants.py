"""peakprivacy's assistants: the documented creation, the others by convention, and what files have to do with them."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests

from emulator import Emulation, Handle

from .catalogue import Caller, caller
from .raw import key_order, send

NEW = "peak-new-1"
CLERK = {"name": "Clerk", "model": "gpt-4", "instructions": "Be brief.", "temperature": 0.5, "anonymize": True}
KEYS = [(key, None) for key in ("id", "name", "model", "instructions", "temperature", "anonymize")]
FILE = [(key, None) for key in ("id", "name", "ext", "size", "mimetype")]
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["peakprivacy"]


@pytest.fixture
def client(handle: Handle) -> Iterator[httpx.Client]:
    """Of an account that owns nothing."""
    with httpx.Client(base_url=f"{handle.base_url}/", headers={**handle.headers, "Api-token": NEW}) as client:
        yield client


def create(client: httpx.Client, **fields: Any) -> Any:
    reply = client.post("ai/assistants", json={**CLERK, **fields})
    assert reply.status_code == 201, reply.text
    return reply.json()


def upload(client: httpx.Client, name: str) -> str:
    made: str = client.post("files", files={"files[]": (name, b"Hello")}).json()[0]["id"]
    return made


class TestCreate:
    def test_the_documented_201(self, client: httpx.Client) -> None:
        made = create(client, file_ids=[upload(client, "handbook.pdf")])
        assert key_order(made) == [*KEYS, ("files", [FILE])]
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["id"])
        assert {**made, "id": None, "files": None} == {"id": None, **CLERK, "files": None}
        (file,) = made["files"]
        assert (file["name"], file["size"]) == ("handbook.pdf", "5")

    def test_a_size_is_text_here_and_a_number_there(self, client: httpx.Client) -> None:
        held = upload(client, "a.txt")
        made = create(client, file_ids=[held])
        told = client.get(f"files/{held}").json()
        assert (made["files"][0]["size"], told["size"]) == ("5", 5)
        assert {**made["files"][0], "size": 5} == told

    def test_with_requests_and_the_least(self, handle: Handle) -> None:
        body = {"name": "Least", "model": "mistral-swiss", "temperature": 0, "anonymize": False}
        reply = requests.post(f"{handle.base_url}/ai/assistants", json=body, headers=handle.headers, timeout=30)
        assert reply.status_code == 201
        assert reply.json() == {"id": reply.json()["id"], **body, "instructions": None, "files": []}

    def test_the_documented_422(self, client: httpx.Client) -> None:
        reply = client.post("ai/assistants", json={"model": 1, "temperature": 0.5, "anonymize": True})
        assert reply.status_code == 422
        assert reply.text == (
            '{"message":"Validation error","errors":{"model":["The model field must be a string.",'
            '"The selected model is invalid."],"name":["The name field is required."]}}'
        )

    @pytest.mark.parametrize(
        ("change", "errors"),
        [
            ({"name": ""}, {"name": ["The name field is required."]}),
            ({"model": ""}, {"model": ["The model field is required."]}),
            ({"model": "gpt-9"}, {"model": ["The selected model is invalid."]}),
            ({"instructions": 1}, {"instructions": ["The instructions field must be a string."]}),
            ({"temperature": None}, {"temperature": ["The temperature field is required."]}),
            ({"temperature": 1.1}, {"temperature": ["The temperature field must not be greater than 1."]}),
            ({"temperature": "x"}, {"temperature": ["The temperature field must be a number."]}),
            ({"anonymize": None}, {"anonymize": ["The anonymize field is required."]}),
            ({"anonymize": "x"}, {"anonymize": ["The anonymize field must be true or false."]}),
            ({"file_ids": "x"}, {"file_ids": ["The file ids field must be an array."]}),
            ({"file_ids": [1]}, {"file_ids.0": ["The file ids.0 field must be a string."]}),
            ({"file_ids": [UNKNOWN]}, {"file_ids": ["The selected file ids is invalid."]}),
        ],
    )
    def test_a_wrong_field_is_named(self, client: httpx.Client, change: dict[str, Any], errors: Any) -> None:
        made = create(client)
        for method, path in (("POST", "ai/assistants"), ("PUT", f"ai/assistants/{made['id']}")):
            reply = client.request(method, path, json={**CLERK, **change})
            assert (reply.status_code, reply.json()) == (422, {"message": "Validation error", "errors": errors})
        assert client.get("ai/assistants").json() == [made]

    @pytest.mark.parametrize("body", [b"", b"{", b"[]"])
    def test_a_body_that_is_no_object_is_no_input_at_all(self, handle: Handle, body: bytes) -> None:
        reply = caller(handle, "createAssistant").ask(body=body)
        assert (reply.status, list(reply.json["errors"])) == (422, ["model", "name", "temperature", "anonymize"])

    def test_completions_and_files_still_say_400(self, handle: Handle) -> None:
        assert caller(handle).ask(body={}).status == 400
        assert caller(handle, "createFiles").ask(body={}).status == 400


class TestLife:
    def test_listed_read_replaced_deleted(self, client: httpx.Client) -> None:
        first, second = create(client), create(client, name="Second", file_ids=None)
        assert client.get("ai/assistants").json() == [first, second]
        assert client.get(f"ai/assistants/{second['id']}").json() == second
        held = upload(client, "a.txt")
        change = {**CLERK, "name": "Third", "temperature": 1, "instructions": None, "file_ids": [held]}
        changed = client.put(f"ai/assistants/{second['id']}", json=change)
        assert (changed.status_code, changed.json()["name"]) == (200, "Third")
        assert [one["id"] for one in changed.json()["files"]] == [held]
        assert client.get("ai/assistants").json() == [first, changed.json()]
        gone = client.delete(f"ai/assistants/{first['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert not gone.headers.keys() & {"content-type", "content-length"}
        assert client.get("ai/assistants").json() == [changed.json()]

    def test_without_file_ids_an_update_takes_the_files_away(self, client: httpx.Client) -> None:
        made = create(client, file_ids=[upload(client, "a.txt")])
        assert client.put(f"ai/assistants/{made['id']}", json=CLERK).json()["files"] == []

    def test_a_file_that_is_gone_is_gone_from_assistants(self, client: httpx.Client) -> None:
        first, second = upload(client, "a.txt"), upload(client, "b.txt")
        made = create(client, file_ids=[first, second])
        client.delete(f"files/{first}")
        left = client.get(f"ai/assistants/{made['id']}").json()["files"]
        assert [one["id"] for one in left] == [second]
        client.delete(f"ai/assistants/{made['id']}")
        assert client.get(f"files/{second}").status_code == 200

    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/query")])
    def test_one_that_is_not_there(self, client: httpx.Client, method: str, path: str) -> None:
        body = {"PUT": CLERK, "POST": {"message": "Hi"}}.get(method)
        reply = client.request(method, f"ai/assistants/{UNKNOWN}{path}", json=body)
        assert reply.status_code == 404
        assert reply.json() == {"message": f"No query results for model [App\\Models\\Assistant] {UNKNOWN}"}


class TestQuery:
    @pytest.fixture
    def asking(self, handle: Handle) -> Caller:
        return caller(handle, "queryAssistant")

    def test_a_completion_of_the_assistant_s_model(self, client: httpx.Client) -> None:
        made = create(client, model="mistral-medium")
        reply = client.post(f"ai/assistants/{made['id']}/query", json={"message": "How do glaciers form?"})
        told = reply.json()
        assert (reply.status_code, told["object"], told["model"]) == (200, "chat.completion", "mistral-medium")
        assert "glaciers" in told["choices"][0]["message"]["content"]

    def test_instructions_count_as_prompt(self, client: httpx.Client) -> None:
        def tokens(instructions: str | None) -> int:
            made = create(client, instructions=instructions)
            reply = client.post(f"ai/assistants/{made['id']}/query", json={"message": "How do glaciers form?"})
            count: int = reply.json()["usage"]["prompt_tokens"]
            return count

        assert tokens("Answer in one sentence. " * 10) > tokens("Be brief.") > tokens(None)

    def test_what_does_not_fit_the_model(self, asking: Caller) -> None:
        reply = asking.ask(body={"message": "word " * 10_000})
        assert (reply.status, list(reply.json["errors"])) == (422, ["message"])

    def test_no_message(self, asking: Caller) -> None:
        reply = asking.ask(body={})
        assert (reply.status, reply.json["errors"]) == (422, {"message": ["The message field is required."]})

    def test_a_scenario_scripts_the_answer(self, handle: Handle, asking: Caller) -> None:
        handle.play([{"reply": {"text": "By the handbook."}}])
        assert asking.ask().json["choices"][0]["message"]["content"] == "By the handbook."

    def test_a_subscription_that_is_used_up(self, asking: Caller) -> None:
        reply = asking.ask(key="used-up-1")
        assert (reply.status, reply.json) == (403, {"error": "Subscription amount limit has been reached"})


class TestHeaders:
    """Without the headers that stand for JSON, assistants are answered as completions are."""

    def test_who_does_not_expect_json_is_sent_elsewhere(self, handle: Handle) -> None:
        for operation in ("createAssistant", "updateAssistant", "queryAssistant"):
            asking = caller(handle, operation)
            headers = {"Content-Type": "application/json", "Api-token": "any"}
            invalid = send(asking.operation.method, asking.url, headers, b"{}")
            assert (invalid.status, invalid.header("location")) == (302, handle.origin)
            stranger = send(asking.operation.method, asking.url, {**headers, "Api-token": "invalid-1"}, b"{}")
            assert (stranger.status, stranger.header("location")) == (302, f"{handle.origin}/login")

    def test_the_documented_401(self, handle: Handle) -> None:
        reply = caller(handle, "createAssistant").ask(key="expired-1")
        assert (reply.status, reply.body) == (401, b'{"error":"Unauthenticated"}')

    @pytest.mark.parametrize("operation", ["createAssistant", "updateAssistant", "listAssistants", "queryAssistant"])
    def test_a_subscription_that_is_not_active(self, handle: Handle, operation: str) -> None:
        reply = caller(handle, operation).ask(key="inactive-1")
        assert (reply.status, reply.json) == (401, {"error": "Unauthenticated"})
