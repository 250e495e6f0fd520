"""nugen: the lives of what an account owns there, from start to end on a clock that stands still until it is moved."""

import json
from typing import Any

import pytest

from emulator import Emulation, Handle

from . import multipart
from .catalogue import caller
from .raw import RawReply, send

MONDAY = 1_800_000_000  # 2027-01-15T08:00:00Z
V3 = "/api/v3"
SMALL = "qwen-v2p5-0p5b-instruct"
DEPLOYED, UNDEPLOYED = "model_contracts_alignment_000000000000001", "model_leases_alignment_000000000000002"


class Platform:
    """A client of one account, and its clock."""

    def __init__(self, emulation: Emulation) -> None:
        self.emulation = emulation
        self.handle: Handle = emulation["nugen"]
        emulation.clock.freeze(MONDAY)

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> RawReply:
        """One request. `body` as JSON, or a form as bytes."""
        headers = {"Authorization": f"Bearer {key or self.handle.api_key}"}
        form = isinstance(body, bytes)
        headers |= {} if body is None else {"Content-Type": multipart.TYPE if form else "application/json"}
        data = body if body is None or form else json.dumps(body).encode()
        return send(method, f"{self.handle.origin}{V3}{path}", headers, data)

    def get(self, path: str) -> Any:
        return self._done(self.ask("GET", path))

    def post(self, path: str, body: Any = None) -> Any:
        return self._done(self.ask("POST", path, body))

    def delete(self, path: str) -> Any:
        return self._done(self.ask("DELETE", path))

    def wait(self, duration: str) -> None:
        self.emulation.clock.advance(duration)

    def _done(self, reply: RawReply) -> Any:
        assert reply.status == 200, reply.text
        return reply.json

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        reply = self.ask(method, path, body)
        assert list(reply.json) == ["detail"]
        return reply.status, reply.json["detail"]


@pytest.fixture
def nugen(emulator: Emulation) -> Platform:
    return Platform(emulator)


def agent(**change: Any) -> dict[str, Any]:
    return {"agent_name": "Lease Reader", "agent_description": "Reads leases", "model": "qwen3-8b", **change}


class TestModels:
    def test_base_models_say_whether_they_can_be_aligned(self, nugen: Platform) -> None:
        models = nugen.get("/models/base")["models"]
        assert len(models) == 14
        assert [m["id"] for m in models if m["alignment_ready"]] == [
            "qwen-v2p5-0p5b-instruct",
            "qwen2-vl-2b-instruct",
            "llama-v3p2-3b-reasoning",
        ]

    def test_an_aligned_model_key_by_key(self, nugen: Platform) -> None:
        first, *_ = nugen.get("/models/aligned")["domain_aligned_models"]
        assert list(first) == [
            "id", "alignment_id", "name", "base_model", "alignment_project", "created_date", "status",
            "deployment_status", "endpoint", "creator", "usage_count", "last_used", "performance_metrics",
            "downloadable", "evaluation_data", "conversation_saving_enabled",
        ]  # fmt: skip
        assert first["endpoint"].endswith(f"/api/v3/inference/completions/{DEPLOYED}")
        assert first["created_date"] == "2026-07-01 08:00:00.000000"

    def test_a_deployment_from_start_to_end(self, nugen: Platform) -> None:
        assert nugen.post(f"/models/deploy-model/{UNDEPLOYED}") == {"model_id": UNDEPLOYED}
        assert nugen.get(f"/models/deploy-model/{UNDEPLOYED}/status") == {
            "model_id": UNDEPLOYED,
            "status": "PENDING",
            "result": {"deployment_status": "DEPLOYING"},
            "start_time": "2027-01-15T08:00:00.000000",
            "end_time": None,
        }
        assert self.state(nugen, UNDEPLOYED) == "DEPLOYING"
        assert UNDEPLOYED not in {m["id"] for m in nugen.get("/agents/available_models")}
        nugen.wait("2m")
        done = nugen.get(f"/models/deploy-model/{UNDEPLOYED}/status")
        assert (done["status"], done["result"]) == ("COMPLETED", {"deployment_status": "DEPLOYED"})
        assert done["end_time"] == "2027-01-15T08:02:00.000000"
        assert UNDEPLOYED in {m["id"] for m in nugen.get("/agents/available_models")}

        assert nugen.delete(f"/models/undeploy-model/{UNDEPLOYED}") == UNDEPLOYED
        assert nugen.get(f"/models/undeploy-model/{UNDEPLOYED}/status")["status"] == "PENDING"
        assert nugen.refused("POST", f"/models/deploy-model/{UNDEPLOYED}") == (
            400,
            "Model cannot be redeployed. Current status: UNDEPLOYING",
        )
        nugen.wait("1m")
        assert nugen.get(f"/models/undeploy-model/{UNDEPLOYED}/status")["status"] == "COMPLETED"
        assert nugen.get(f"/models/deploy-model/{UNDEPLOYED}/status")["status"] == "COMPLETED"
        assert self.state(nugen, UNDEPLOYED) == "UNDEPLOYED"

    def test_one_that_is_evaluated_can_be_deployed(self, nugen: Platform) -> None:
        model = "model_wills_alignment_000000000000003"
        found = nugen.get("/models/aligned")["domain_aligned_models"][-1]
        assert (found["id"], found["status"], found["deployment_status"]) == (model, "EVALUATED", "UNDEPLOYED")
        compared = nugen.get("/evaluations/eval_000000000000002/results")
        assert found["evaluation_data"] == {
            "evaluation_id": "eval_000000000000002",
            "status": "READY",
            "metrics": {},
            "raw_answers_count": 4,
            "completed_at": "2026-07-01T08:02:00.000000",
            "created_at": "2026-07-01T08:00:00.000000",
            "method": "eval-compare",
            "baseline_model_id": SMALL,
            **{key: compared[key] for key in ("base_model", "eval_model", "comparison")},
        }
        nugen.post(f"/models/deploy-model/{model}")
        nugen.wait("2m")
        assert self.state(nugen, model) == "DEPLOYED"

    def test_a_deployment_that_fails_leaves_the_model_as_it_was(self, nugen: Platform) -> None:
        model = aligned(nugen, "emu-deploy-failure")
        nugen.post(f"/models/deploy-model/{model}")
        nugen.wait("2m")
        found = nugen.get(f"/models/deploy-model/{model}/status")
        assert (found["status"], list(found["result"])) == ("FAILED", ["deployment_status", "error"])
        assert self.state(nugen, model) == "READY"

    def test_what_is_undeployed_is_not_undeployed_again(self, nugen: Platform) -> None:
        status, detail = nugen.refused("DELETE", f"/models/undeploy-model/{UNDEPLOYED}")
        assert (status, detail) == (400, "Model cannot be undeployed. Current status: UNDEPLOYED")

    @pytest.mark.parametrize("model", ["gpt-oss-20b", "nobodys"])
    def test_what_is_not_the_accounts_own_is_not_found(self, nugen: Platform, model: str) -> None:
        for method, verb in (("POST", "deploy"), ("DELETE", "undeploy")):
            assert nugen.refused(method, f"/models/{verb}-model/{model}") == (404, "Model not found")
            assert nugen.refused("GET", f"/models/{verb}-model/{model}/status") == (404, "Model not found")

    def state(self, nugen: Platform, model: str) -> str:
        (found,) = [m for m in nugen.get("/models/aligned")["domain_aligned_models"] if m["id"] == model]
        assert found["status"] == found["deployment_status"]
        return str(found["status"])


class TestAgents:
    def test_the_paths_of_older_pages(self, nugen: Platform) -> None:
        url = f"{nugen.handle.origin}/api/v3/agents/create/"
        headers = {**nugen.handle.headers, "Content-Type": "application/json"}
        assert send("POST", url, headers, json.dumps(agent()).encode()).status == 200
        run = f"{nugen.handle.origin}/agents/support--00000001/run/"
        assert send("POST", run, headers, b'{"message": "Hi"}').json["agent_id"] == "support--00000001"
        asked = [entry.operation for entry in nugen.handle.journal]
        assert asked == ["createAgent", "runAgentEndpoint"]

    def test_an_agent_where_agents_first_were(self, nugen: Platform) -> None:
        old = f"{nugen.handle.origin}/agents"
        headers = {**nugen.handle.headers, "Content-Type": "application/json"}
        models = send("GET", f"{old}/available_models/", headers).json
        assert (list(models), "qwen3-8b" in models["available_models"]) == (["available_models", "default_model"], True)

        shown = [{"user_input": "What is a lease?", "model_output": "A contract."}]
        told = agent(instructions="Be brief.", demonstrations=shown)
        made = send("POST", f"{old}/create/", headers, json.dumps(told).encode()).json
        assert list(made.items()) == [
            ("agent_name", "Lease Reader"),
            ("agent_description", "Reads leases"),
            ("max_token", 1000),
            ("model", "qwen3-8b"),
            ("temperature", 0.7),
            ("instructions", "Be brief."),
            ("demonstrations", shown),
            ("id", made["id"]),
            ("status", "active"),
            ("created_at", "2027-01-15T08:00:00.000000"),
            ("updated_at", "2027-01-15T08:00:00.000000"),
            ("username", "developer@example.com"),
        ]
        assert send("GET", f"{old}/", headers).json == ["support--00000001", made["id"]]
        assert nugen.get(f"/agents/{made['id']}")["data"]["name"] == "lease_reader"

        nugen.wait("1m")
        changed = send("PATCH", f"{old}/{made['id']}", headers, b'{"temperature": 0.8}').json
        assert changed == {**made, "temperature": 0.8, "updated_at": "2027-01-15T08:01:00.000000"}
        assert send("GET", f"{old}/{made['id']}", headers).json == changed
        gone = send("DELETE", f"{old}/{made['id']}", headers)
        assert (gone.status, gone.body) == (204, b"")
        assert send("GET", f"{old}/{made['id']}", headers).status == 404

    def test_an_agent_from_start_to_end(self, nugen: Platform) -> None:
        made = nugen.post("/agents/create", agent(instructions="Be brief."))["data"]
        assert list(made) == [
            "id", "name", "description", "base_model", "base_model_name", "created_date", "status", "creator",
            "endpoint", "usage_count", "last_used", "performance_metrics", "system_prompt", "temperature",
            "conversation_saving_enabled",
        ]  # fmt: skip
        assert (made["name"], made["status"], made["temperature"]) == ("lease_reader", "ACTIVE", 0.7)
        assert (made["base_model_name"], made["usage_count"], made["last_used"]) == ("Qwen3 8B", 0, None)
        assert nugen.get("/agents")["agents"][0] == nugen.get(f"/agents/{made['id']}")["data"] == made

        assert made["created_date"] == "2027-01-15T08:00:00.000000Z"

        nugen.wait("1h")
        by_name = nugen.post("/agents/run-agents/lease_reader/run", {"message": "What is a sublease?"})
        assert list(by_name) == ["agent_id", "model", "response", "usage"]
        assert (by_name["agent_id"], by_name["model"]) == (made["id"], "qwen3-8b")
        assert "sublease" in by_name["response"]
        nugen.wait("1h")
        by_id = nugen.post(f"/agents/{made['id']}/run/", {"message": "What is a sublease?"})
        assert by_id["usage"]["input_tokens"] == by_name["usage"]["input_tokens"]
        used = nugen.get(f"/agents/{made['id']}")["data"]
        assert (used["usage_count"], used["last_used"]) == (2, "2027-01-15T10:00:00.000000Z")

        changed = nugen._done(
            nugen.ask("PATCH", f"/agents/{made['id']}", {"agent_name": "Sub Lessor", "temperature": 0})
        )
        assert (changed["data"]["name"], changed["data"]["temperature"]) == ("sub_lessor", 0)
        assert nugen.refused("POST", "/agents/run-agents/lease_reader/run", {"message": "?"})[0] == 404
        gone = nugen.ask("DELETE", f"/agents/{made['id']}")
        assert (gone.status, gone.body) == (204, b"")
        assert (gone.header("content-type"), gone.header("content-length")) == (None, None)
        assert nugen.refused("GET", f"/agents/{made['id']}") == (404, "Agent not found")

    @pytest.mark.parametrize(
        ("name", "begins"),
        [("My First Agent", "my-first-"), ("my_fourth", "my-fourt-"), ("test", "test-"), ("testing_b", "testing--")],
    )
    def test_ids_of_agents_begin_like_their_names(self, nugen: Platform, name: str, begins: str) -> None:
        made = nugen.post("/agents/create", agent(agent_name=name))["data"]["id"]
        assert (made.startswith(begins), len(made), made) == (True, 17, made.lower())

    def test_the_newest_agent_is_listed_first(self, nugen: Platform) -> None:
        for name in ("one", "two"):
            nugen.wait("1m")
            nugen.post("/agents/create", agent(agent_name=name))
        assert [found["name"] for found in nugen.get("/agents")["agents"]] == ["two", "one", "support_agent"]

    def test_the_requests_of_the_pages(self, nugen: Platform) -> None:
        printed = {
            "agent_name": "Customer Support Agent",
            "agent_description": "An agent designed to handle customer support queries",
            "model": "nugen-flash-instruct",
            "max_token": 1000,
            "temperature": 0.7,
            "instructions": "You are a helpful customer support assistant.",
            "demonstrations": [{}],
        }
        made = nugen.post("/agents/create", printed)["data"]
        assert (made["name"], made["base_model_name"]) == ("customer_support_agent", "Nugen Flash Instruct")
        shown = [{"input": "How do I reset my password?", "output": "By the link."}]
        changed = nugen.ask("PATCH", f"/agents/{made['id']}", {**printed, "agent_name": None, "demonstrations": shown})
        assert nugen._done(changed)["data"]["name"] == "customer_support_agent"

    def test_what_an_agent_has_without_being_told(self, nugen: Platform) -> None:
        made = nugen.post("/agents/create", agent())["data"]
        assert (made["system_prompt"], made["temperature"]) == ("You are a helpful AI assistant.", 0.7)
        nothing = dict.fromkeys(
            ("agent_name", "agent_description", "model", "max_token", "temperature", "instructions")
        )
        assert nugen._done(nugen.ask("PATCH", f"/agents/{made['id']}", nothing))["data"] == made

    def test_a_model_that_the_account_has_not_makes_no_agent(self, nugen: Platform) -> None:
        status, detail = nugen.refused("POST", "/agents/create", agent(model="nobodys"))
        assert (status, "nobodys" in detail) == (400, True)
        assert nugen.refused("PATCH", "/agents/support--00000001", {"model": "nobodys"})[0] == 400
        assert len(nugen.get("/agents")["agents"]) == 1

    def test_usage_counts_runs_and_tokens_of_agents_that_are_gone_too(self, nugen: Platform) -> None:
        assert nugen.get("/agents/usage") == {
            "data": {
                "totalUsage": 0,
                "totalTokens": 0,
                "averageTokensPerRequest": 0,
                "mostUsedModel": None,
                "usageByModel": {},
            }
        }
        made = nugen.post("/agents/create", agent())["data"]
        runs = [nugen.post("/agents/run-agents/lease_reader/run", {"message": f"Clause {i}?"}) for i in range(3)]
        runs.append(nugen.post("/agents/run-agents/support_agent/run", {"message": "Clause 4?"}))
        nugen.ask("DELETE", f"/agents/{made['id']}")
        tokens = sum(run["usage"]["total_tokens"] for run in runs)
        assert nugen.get("/agents/usage")["data"] == {
            "totalUsage": 4,
            "totalTokens": tokens,
            "averageTokensPerRequest": round(tokens / 4, 2),
            "mostUsedModel": "qwen3-8b",
            "usageByModel": {"qwen3-8b": 3, "gpt-oss-20b": 1},
        }

    def test_usage_where_agents_first_were_tells_of_each_agent(self, nugen: Platform) -> None:
        def usage() -> Any:
            return send("GET", f"{nugen.handle.origin}/agents/usage/", nugen.handle.headers).json

        unused = {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0}
        assert usage() == {
            "total_active_agents": 1,
            "total_deleted_agents": 0,
            "agent_usage_summary": {"support--00000001": {"agent_name": "Support Agent", **unused}},
            "most_used_agent": {"agent_id": None, "agent_name": None, "total_tokens": 0},
        }
        made, gone = (nugen.post("/agents/create", agent(agent_name=name))["data"] for name in ("Reader", "Gone"))
        runs = [nugen.post("/agents/run-agents/reader/run", {"message": f"Clause {i}?"})["usage"] for i in range(2)]
        nugen.ask("DELETE", f"/agents/{gone['id']}")
        told, spent = usage(), {key: sum(run[key] for run in runs) for key in unused}
        assert (told["total_active_agents"], told["total_deleted_agents"]) == (2, 1)
        assert told["agent_usage_summary"][made["id"]] == {"agent_name": "Reader", **spent}
        assert list(told["agent_usage_summary"]) == ["support--00000001", made["id"]]
        most = {"agent_id": made["id"], "agent_name": "Reader", "total_tokens": spent["total_tokens"]}
        assert told["most_used_agent"] == most

    def test_what_the_agent_was_told_costs_tokens_and_its_max_tokens_holds(self, nugen: Platform) -> None:
        nugen.post("/agents/create", agent(instructions="Be brief. " * 40, max_tokens=9))
        short = nugen.post("/agents/run-agents/lease_reader/run", {"message": "Clause 5?"})["usage"]
        plain = nugen.post("/agents/run-agents/support_agent/run", {"message": "Clause 5?"})["usage"]
        assert short["input_tokens"] > plain["input_tokens"]
        assert short["output_tokens"] == 9 < plain["output_tokens"]

    def test_a_name_is_taken_however_it_is_written(self, nugen: Platform) -> None:
        nugen.post("/agents/create", agent())
        for name in ("Lease Reader", "lease_reader", "lease-READER!"):
            status, detail = nugen.refused("POST", "/agents/create", agent(agent_name=name))
            assert (status, "already exists" in detail) == (400, True)

    def test_inactive_agents_are_listed_when_asked_for(self, nugen: Platform) -> None:
        nugen.ask("PATCH", "/agents/support--00000001", {"status": "INACTIVE"})
        assert nugen.get("/agents")["agents"] == []
        assert len(nugen.get("/agents?include_inactive=true")["agents"]) == 1

    @pytest.mark.parametrize("path", ["/agents/run-agents/support_agent/run", "/agents/support--00000001/run/"])
    def test_an_inactive_agent_does_not_run_until_it_is_active_again(self, nugen: Platform, path: str) -> None:
        nugen.ask("PATCH", "/agents/support--00000001", {"status": "INACTIVE"})
        assert nugen.refused("POST", path, {"message": "Hi"}) == (404, "Agent not found")
        assert nugen.get("/agents/usage")["data"]["totalUsage"] == 0
        nugen.ask("PATCH", "/agents/support--00000001", {"status": "ACTIVE"})
        assert nugen.post(path, {"message": "Hi"})["agent_id"] == "support--00000001"

    @pytest.mark.parametrize(
        ("model", "name"), [("nugen-flash-instruct", "nugen-flash-instruct"), (UNDEPLOYED, UNDEPLOYED)]
    )
    def test_a_model_that_is_not_there_returns_nothing(self, nugen: Platform, model: str, name: str) -> None:
        nugen.post("/agents/create", agent(model=model))
        detail = f"Model '{name}' returned no response. The model may not be deployed or accessible."
        assert nugen.refused("POST", "/agents/run-agents/lease_reader/run", {"message": "Hi"}) == (500, detail)
        assert nugen.get("/agents/usage")["data"]["totalUsage"] == 0

    @pytest.mark.parametrize("path", ["/agents/run-agents/support_agent/run", "/agents/support--00000001/run/"])
    def test_a_used_up_quota_is_a_402_or_in_replies_a_429(self, nugen: Platform, path: str) -> None:
        for variants, status in ((), 402), (("quota-429",), 429):
            nugen.handle.use(*variants)
            reply = nugen.ask("POST", path, {"message": "Hi"}, key="nugen-spent-1")
            assert (reply.status, reply.json["detail"].startswith("Quota limit reached.")) == (status, True)

    def test_a_run_needs_a_message(self, nugen: Platform) -> None:
        status, detail = nugen.refused("POST", "/agents/run-agents/support_agent/run", {})
        assert (status, detail) == (422, [{"loc": ["body", "message"], "msg": "Field required", "type": "missing"}])

    def test_a_run_can_be_a_stream(self, nugen: Platform) -> None:
        nugen.handle.use("agents-stream")
        reply = nugen.ask("POST", "/agents/run-agents/support_agent/run", {"message": "What is a sublease?"})
        assert (reply.header("content-type") or "").startswith("text/event-stream")
        *events, done = reply.events
        deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
        assert (done, "sublease" in "".join(delta.get("text", "") for delta in deltas)) == ("[DONE]", True)
        assert nugen.get("/agents/usage")["data"]["totalUsage"] == 1

    def test_a_scenario_scripts_what_an_agent_says(self, nugen: Platform) -> None:
        nugen.handle.play([{"reply": {"text": "As told."}}])
        assert nugen.post("/agents/run-agents/support_agent/run", {"message": "Hi"})["response"] == "As told."


def files(*names: str) -> bytes:
    """An upload of documents."""
    parts = [multipart.file(f"This is {name}.", name, "text/plain", "files") for name in names]
    return multipart.form([*parts, multipart.text("law", "categories")])


class TestDocuments:
    def test_a_document_from_start_to_end(self, nugen: Platform) -> None:
        (document,) = nugen.post("/documents", files("a.txt"))["document_ids"]
        assert nugen.get(f"/documents/{document}") == {"status": "PROCESSING", "document_id": document}
        nugen.wait("10s")
        assert nugen.get(f"/documents/{document}") == {"status": "READY", "document_id": document}

    def test_they_are_listed_with_their_categories(self, nugen: Platform) -> None:
        parts = [multipart.text(name, "categories") for name in ("law", "leases")]
        made = nugen.post(
            "/documents", multipart.form([multipart.file("A lease.", "a.txt", "text/plain", "files"), *parts])
        )
        assert nugen.get("/documents") == nugen.get("/documents/list")
        seeded, document = nugen.get("/documents")["documents"]
        assert (seeded["status"], seeded["processing_progress"], seeded["categories"]) == ("Ready", 100, ["contracts"])
        assert document == {
            "id": made["document_ids"][0],
            "filename": "a.txt",
            "type": "text/plain",
            "size": 8,
            "upload_date": "2027-01-15T08:00:00.000000",
            "status": "Processing",
            "categories": ["law", "leases"],
            "uploader": "developer@example.com",
            "processing_progress": 0,
        }
        changed = nugen.ask("PUT", f"/documents/{document['id']}/categories", {"categories": ["law", "contracts"]}).json
        assert list(changed) == ["document_id", "old_categories", "new_categories", "message"]
        assert (changed["old_categories"], changed["new_categories"]) == (["law", "leases"], ["law", "contracts"])
        assert nugen.get("/documents")["categories"] == [{"name": "contracts", "count": 2}, {"name": "law", "count": 1}]
        assert nugen.refused("PUT", "/documents/doc_1/categories", {"categories": []}) == (404, "Document not found")
        assert nugen.refused("PUT", "/documents/doc_1/categories", {})[0] == 422
        nugen.post("/documents", multipart.form([multipart.file("A will.", "b.txt", "text/plain", "files")]))
        assert nugen.get("/documents")["documents"][-1]["categories"] == []

    def test_one_is_deleted(self, nugen: Platform) -> None:
        gone = nugen.delete("/documents/doc_000000000000001")
        assert (list(gone), gone["document_id"]) == (["document_id", "message"], "doc_000000000000001")
        assert nugen.refused("DELETE", "/documents/doc_000000000000001") == (404, "Document not found")
        assert nugen.refused("GET", "/documents/doc_000000000000001") == (404, "Task not found")

    def test_several_at_once_all_or_none(self, nugen: Platform) -> None:
        a, b = nugen.post("/documents", files("a.txt", "b.txt"))["document_ids"]
        status, detail = nugen.refused("POST", "/documents", files("c.txt", "b.txt"))
        assert (status, list(detail), detail["document_id"]) == (409, ["message", "document_id"], b)
        assert detail["message"].startswith("This document has already been uploaded.")
        assert a != b != nugen.post("/documents", files("c.txt"))["document_ids"][0]

    def test_one_can_fail(self, nugen: Platform) -> None:
        (document,) = nugen.post("/documents", files("emu-failure.txt"))["document_ids"]
        nugen.wait("10s")
        assert nugen.get(f"/documents/{document}")["status"] == "FAILED"

    def test_a_form_without_files_or_with_text_for_one(self, nugen: Platform) -> None:
        missing = {"loc": ["body", "files"], "msg": "Field required", "type": "missing"}
        assert nugen.refused("POST", "/documents", multipart.form([multipart.text("law", "categories")])) == (
            422,
            [missing],
        )
        status, (told,) = nugen.refused("POST", "/documents", multipart.form([multipart.text("a.txt", "files")]))
        assert (status, told["loc"]) == (422, ["body", "files", 0])

    def test_an_unknown_one_is_a_task_that_is_not_found(self, nugen: Platform) -> None:
        assert nugen.refused("GET", "/documents/doc_1") == (404, "Task not found")


class TestBenchmarks:
    def test_a_benchmark_from_start_to_end(self, nugen: Platform) -> None:
        made = nugen.post("/benchmark/create", {"documents": ["doc_000000000000001"], "num_questions": 3})
        assert (list(made), made["status"]) == (["benchmark_id", "status"], "PROCESSING")
        benchmark = made["benchmark_id"]
        assert nugen.refused("GET", f"/benchmark/{benchmark}/data")[0] == 400
        nugen.wait("30s")
        assert nugen.get(f"/benchmark/status/{benchmark}") == {
            "benchmark_id": benchmark,
            "benchmark_name": f"generated_{benchmark}",
            "status": "READY",
            "start_time": "2027-01-15T08:00:00.000000",
            "end_time": "2027-01-15T08:00:30.000000",
        }
        data = nugen.get(f"/benchmark/{benchmark}/data")
        assert list(data) == [
            "benchmark_id", "benchmark_name", "status", "num_questions", "created_at", "updated_at", "source", "s3_key",
            "s3_url", "documents", "questions", "metadata", "error",
        ]  # fmt: skip
        assert (data["num_questions"], data["documents"]) == (3, ["doc_000000000000001"])
        assert (data["created_at"], data["updated_at"]) == ("2027-01-15T08:00:00.000000", "2027-01-15T08:00:30.000000")
        questions = data["questions"]
        assert [list(question) for question in questions] == [["question_num", "question", "answer"]] * 3
        assert [question["question_num"] for question in questions] == [1, 2, 3]

    def test_one_that_is_brought_is_ready_at_once(self, nugen: Platform) -> None:
        fields = [multipart.text("Mine", "name"), multipart.text("doc_000000000000001", "document_id")]
        questions = multipart.file("[]", "q.json", "application/json", "file")
        made = nugen.post("/benchmark/upload", multipart.form([questions, *fields]))
        assert list(made) == ["id", "name", "status", "num_questions", "questions"]
        assert (made["name"], made["status"], len(made["questions"])) == ("Mine", "READY", made["num_questions"])
        assert nugen.get(f"/benchmark/status/{made['id']}")["benchmark_name"] == "Mine"
        *_, listed = nugen.get("/benchmark/list")["benchmarks"]
        assert listed == {
            "id": made["id"],
            "benchmark_name": "Mine",
            "status": "READY",
            "documents": ["doc_000000000000001"],
            "num_questions": made["num_questions"],
            "created_at": "2027-01-15T08:00:00.000000",
            "updated_at": "2027-01-15T08:00:00.000000",
        }

    def test_the_documents_of_one_must_exist(self, nugen: Platform) -> None:
        assert nugen.refused("POST", "/benchmark/create", {"documents": ["doc_1"]}) == (400, "No such document")

    def test_documents_must_be_ready(self, nugen: Platform) -> None:
        documents = nugen.post("/documents", files("a.txt"))["document_ids"]
        detail = "A document is not ready. Current status: PROCESSING"
        assert nugen.refused("POST", "/benchmark/create", {"documents": documents}) == (400, detail)
        project = {"name": "x", "base_model": SMALL, "document_ids": documents}
        assert nugen.refused("POST", "/alignment-project/create", project) == (400, detail)
        nugen.wait("10s")
        assert nugen.post("/benchmark/create", {"documents": documents})["status"] == "PROCESSING"


def aligned(nugen: Platform, name: str) -> str:
    """The model of an alignment project that has come to its end."""
    project = {"name": name, "base_model": SMALL, "document_ids": ["doc_000000000000001"]}
    alignment = nugen.post("/alignment-project/create", project)["alignment_id"]
    nugen.wait("10m")
    return str(nugen.get(f"/alignment-project/status/{alignment}")["data"]["model_id"])


class TestNewerPaths:
    def test_from_a_document_to_an_aligned_model(self, nugen: Platform) -> None:
        (document,) = nugen.post("/documents/create", files("a.txt"))["document_ids"]
        nugen.wait("10s")
        assert nugen.get(f"/documents/{document}/status") == {"status": "READY", "document_id": document}
        benchmark = nugen.post("/benchmarks/create", {"documents": [document], "num_questions": 20})["benchmark_id"]
        nugen.wait("30s")
        assert nugen.get(f"/benchmarks/{benchmark}/status")["status"] == "READY"
        body = {"name": "Leases", "base_model": SMALL, "document_ids": [document], "benchmark_id": benchmark}
        alignment = nugen.post("/alignment-projects/create", body)["alignment_id"]
        nugen.wait("10m")
        assert nugen.get(f"/alignment-projects/{alignment}/status") == {
            "alignment_id": alignment,
            "status": "READY",
            "queue_position": None,
            "early_deployable": False,
            "degraded": None,
            "stage_failures": None,
            "stop_requested_at": None,
            "error": None,
            "updated_at": "2027-01-15T08:10:40.000000",
        }
        assert nugen.refused("POST", "/documents/create", files("a.txt"))[0] == 409
        assert nugen.refused("GET", "/alignment-projects/alignment_1/status") == (404, "Task not found")

    def test_with_the_names_that_fields_have_there_since(self, nugen: Platform) -> None:
        document = "doc_000000000000001"
        parts = [("benchmark_name", "Rents"), ("document_id", document)]
        sample = multipart.file("[]", "samples.json", "application/json", "file")
        brought = nugen.post("/benchmarks/upload", multipart.form([sample, *(multipart.text(v, k) for k, v in parts)]))
        assert list(brought) == ["benchmark_id", "benchmark_name", "status", "n_samples"]
        assert (brought["benchmark_name"], brought["status"]) == ("Rents", "READY")
        wish = {"document_ids": [document], "n_samples": 3, "benchmark_name": "Leases"}
        generated = nugen.post("/benchmarks/create", wish)["benchmark_id"]
        unnamed = nugen.post("/benchmarks/create", {"document_ids": [document]})["benchmark_id"]
        assert nugen.get(f"/benchmarks/{unnamed}/status")["benchmark_name"] == f"generated_{unnamed}"
        named = multipart.form([sample, multipart.text("Wills", "name"), multipart.text(document, "document_id")])
        assert nugen.post("/benchmarks/upload", named)["benchmark_name"] == "Wills"
        body = {"alignment_name": "Rents", "base_model_id": SMALL, "document_ids": [document]}
        made = nugen.post("/alignment-projects/create", {**body, "benchmark_id": brought["benchmark_id"]})
        alignment = made["alignment_id"]
        begun = nugen.get(f"/alignment-projects/{alignment}")
        assert {name: begun[name] for name in body} == body
        assert (begun["status"], begun["gpu_training_completed"], begun["error"]) == ("PROCESSING", None, None)
        model = begun["model_id"]
        assert nugen.refused("POST", f"/models/{model}/deployment?early=true")[0] == 409
        nugen.wait("10m")
        assert nugen.get(f"/benchmarks/{generated}/data")["num_questions"] == 3
        states = [nugen.get(f"/models/{model}/deployment/status")]
        assert nugen.post(f"/models/{model}/deployment") == {"model_id": model}
        states.append(nugen.get(f"/models/{model}/deployment/status"))
        nugen.wait("2m")
        states.append(nugen.get(f"/models/{model}/deployment/status"))
        assert nugen.delete(f"/models/{model}/deployment") == {"model_id": model}
        states.append(nugen.get(f"/models/{model}/deployment/status"))
        assert [state["status"] for state in states] == ["UNDEPLOYED", "DEPLOYING", "DEPLOYED", "UNDEPLOYING"]
        assert [state["deployment_status"] for state in states] == [state["status"] for state in states]

    def test_what_is_missing_is_asked_for_by_those_names(self, nugen: Platform) -> None:
        for path, body, missing in (
            ("/benchmarks/create", {}, ["document_ids"]),
            ("/alignment-projects/create", {}, ["alignment_name", "base_model_id", "document_ids"]),
            ("/alignment-projects/create", {"document_ids": ["d"], "name": "Rents"}, ["base_model"]),
        ):
            status, told = nugen.refused("POST", path, body)
            assert (status, [one["loc"] for one in told]) == (422, [["body", name] for name in missing])

    def test_a_deployment_that_failed(self, nugen: Platform) -> None:
        body = {"alignment_name": "emu-deploy-failure", "base_model_id": SMALL, "document_ids": ["doc_000000000000001"]}
        alignment = nugen.post("/alignment-projects/create", body)["alignment_id"]
        model = nugen.get(f"/alignment-projects/{alignment}")["model_id"]
        nugen.wait("10m")
        nugen.post(f"/models/{model}/deployment")
        nugen.wait("2m")
        assert nugen.get(f"/models/{model}/deployment/status")["status"] == "FAILED"


class TestAlignment:
    def test_a_project_from_start_to_a_model_that_agents_run(self, nugen: Platform) -> None:
        body = {"name": "Rents 2027", "base_model": SMALL, "document_ids": ["doc_000000000000001"]}
        made = nugen.post("/alignment-project/create", body)
        assert (list(made), made["status"]) == (["alignment_id", "status"], "PROCESSING")
        path = f"/alignment-project/status/{made['alignment_id']}"
        begun = nugen.get(path)
        assert list(begun) == ["status", "data", "start_time", "end_time"]
        assert (begun["status"], begun["end_time"]) == ("PROCESSING", None)
        model = f"model_rents_2027_{made['alignment_id']}"
        assert begun["data"] == {
            "id": made["alignment_id"],
            "name": "Rents 2027",
            "base_model": SMALL,
            "status": "PROCESSING",
            "created_date": "2027-01-15T08:00:00.000000",
            "completed_date": None,
            "documents": ["doc_000000000000001"],
            "document_count": 1,
            "creator": "developer@example.com",
            "performance_metrics": None,
            "progress": 0,
            "estimated_completion": None,
            "error": None,
            "evaluation_id": None,
            "model_id": model,
        }
        assert len(nugen.get("/models/aligned")["domain_aligned_models"]) == 3
        nugen.wait("5m")
        assert nugen.get(path)["data"]["progress"] == 50
        nugen.wait("5m")
        project = nugen.get(f"/alignment-project/{made['alignment_id']}")
        done = {"status": "READY", "completed_date": "2027-01-15T08:10:00.000000", "progress": 100}
        assert project == nugen.get(path)["data"] == {**begun["data"], **done}
        assert nugen.get("/alignment-project")["alignment_projects"][-1] == project
        assert nugen.get("/models/aligned")["domain_aligned_models"][-1]["status"] == "READY"

        nugen.post(f"/models/deploy-model/{model}")
        nugen.post("/agents/create", agent(model=model))
        assert nugen.refused("POST", "/agents/run-agents/lease_reader/run", {"message": "Hi"})[0] == 500
        nugen.wait("2m")
        assert nugen.post("/agents/run-agents/lease_reader/run", {"message": "Hi"})["model"] == model

    def test_some_models_cannot_be_aligned(self, nugen: Platform) -> None:
        for model in ("gpt-oss-20b", DEPLOYED):
            body = {"name": "x", "base_model": model, "document_ids": ["doc_000000000000001"]}
            detail = f"Model '{model}' cannot be aligned"
            assert nugen.refused("POST", "/alignment-project/create", body) == (400, detail)

    def test_one_can_fail_and_has_no_model(self, nugen: Platform) -> None:
        assert aligned(nugen, "emu-align-failure") == "None"
        failed = nugen.get("/alignment-project")["alignment_projects"][-1]
        assert (failed["status"], failed["progress"], failed["error"]) == ("FAILED", None, "Alignment failed")
        assert len(nugen.get("/models/aligned")["domain_aligned_models"]) == 3

    @pytest.mark.parametrize(
        "change", [{"base_model": "no-such"}, {"document_ids": ["doc_1"]}, {"benchmark_id": "benchmark_1"}]
    )
    def test_what_it_is_made_of_exists(self, nugen: Platform, change: dict[str, Any]) -> None:
        body = {"name": "x", "base_model": SMALL, "document_ids": ["doc_000000000000001"], **change}
        assert nugen.refused("POST", "/alignment-project/create", body)[0] == 404


EVALUATION = {"model_id": DEPLOYED, "benchmark_id": "benchmark_000000000000001"}


class TestEvaluations:
    def test_an_evaluation_from_start_to_end(self, nugen: Platform) -> None:
        made = nugen.post("/evaluations", EVALUATION)
        assert list(made) == ["evaluation_id", "model_id", "status", "benchmark_id", "created_at", "message"]
        assert (made["status"], made["created_at"]) == ("PROCESSING", "2027-01-15T08:00:00.000000")
        path = f"/evaluations/{made['evaluation_id']}"
        nugen.wait("1m")
        assert nugen.get(f"{path}/status") == {
            "evaluation_id": made["evaluation_id"],
            "status": "PROCESSING",
            "benchmark_id": "benchmark_000000000000001",
            "progress": "1/2 questions",
            "questions_completed": 1,
            "total_questions": 2,
            "avg_time_per_question": 60.0,
            "eta_seconds": 60,
            "start_time": "2027-01-15T08:00:00.000000",
            "end_time": None,
        }
        assert nugen.refused("GET", f"{path}/results")[0] == 400
        nugen.wait("1m")
        done = nugen.get(f"{path}/status")
        assert (done["status"], done["progress"], done["eta_seconds"]) == ("READY", "2/2 questions", None)
        results = nugen.get(f"{path}/results")
        assert list(results) == [
            "evaluation_id", "model_id", "benchmark_id", "status", "method", "raw_answers_count", "completed_at",
            "metrics",
        ]  # fmt: skip
        assert (results["method"], results["raw_answers_count"]) == ("eval", 2)
        assert (results["completed_at"], len(results["metrics"])) == ("2027-01-15T08:02:00.000000", 8)
        assert all(0 <= score <= 1 for score in results["metrics"].values())
        first, *_ = nugen.get("/models/aligned")["domain_aligned_models"]
        assert list(first["evaluation_data"]) == [
            "evaluation_id", "status", "metrics", "raw_answers_count", "completed_at", "created_at", "method",
        ]  # fmt: skip
        assert first["evaluation_data"]["metrics"] == results["metrics"]
        begun = nugen.post("/evaluations", EVALUATION)["evaluation_id"]
        first, *_ = nugen.get("/models/aligned")["domain_aligned_models"]
        assert first["evaluation_data"] == {"evaluation_id": begun, "status": "PROCESSING"}

    def test_two_models_are_compared(self, nugen: Platform) -> None:
        made = nugen.post("/evaluations", {**EVALUATION, "model_id_2": SMALL, "custom_metrics": ["accuracy"]})
        nugen.wait("2m")
        results = nugen.get(f"/evaluations/{made['evaluation_id']}/results")
        assert list(results)[7:] == ["model_id_2", "base_model", "eval_model", "comparison"]
        assert (results["method"], results["model_id_2"], results["raw_answers_count"]) == ("eval-compare", SMALL, 4)
        base, evaluated = results["base_model"], results["eval_model"]
        assert (base["model_id"], evaluated["model_id"]) == (DEPLOYED, SMALL)
        rows = results["comparison"]["metrics"]
        assert [(row["base"], row["evaluated"]) for row in rows] == [
            (base["metrics"][row["metric"]], evaluated["metrics"][row["metric"]]) for row in rows
        ]
        gains = [row["improvement_%"] for row in rows]
        assert gains[0] == round((rows[0]["evaluated"] / rows[0]["base"] - 1) * 100, 2)
        assert results["comparison"]["summary"] == {
            "avg_improvement": round(sum(gains) / 8, 2),
            "max_improvement": max(gains),
            "min_improvement": min(gains),
        }

    def test_what_was_found_comes_as_a_file(self, nugen: Platform) -> None:
        made = nugen.post("/evaluations", EVALUATION)["evaluation_id"]
        assert nugen.refused("GET", f"/evaluations/{made}/download")[0] == 400
        assert nugen.refused("GET", "/evaluations/eval_1/download") == (404, "Evaluation not found")
        nugen.wait("2m")
        reply = nugen.ask("GET", f"/evaluations/{made}/download")
        assert reply.header("content-disposition") == f"attachment; filename=evaluation_results_{made}.json"
        assert list(reply.json) == [
            "evaluation_id", "status", "model_id", "benchmark_id", "metrics", "detailed_results", "created_at",
            "completed_at",
        ]  # fmt: skip
        results = nugen.get(f"/evaluations/{made}/results")
        assert reply.json["metrics"] == results["metrics"]
        assert len(reply.json["detailed_results"]) == results["raw_answers_count"]
        compared = nugen.ask("GET", "/evaluations/eval_000000000000001/download")
        name = "evaluation_comparison_eval_000000000000001.json"
        assert compared.header("content-disposition") == f"attachment; filename={name}"
        assert list(compared.json)[4:8] == ["model_id_2", "base_model", "eval_model", "comparison"]

    def test_the_evaluations_of_the_account(self, nugen: Platform) -> None:
        made = [nugen.post("/evaluations", EVALUATION)["evaluation_id"] for _ in range(3)]
        page = nugen.get("/evaluations?status=PROCESSING&limit=2&offset=1")
        assert list(page) == ["user_id", "evaluations", "total", "limit", "offset"]
        assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
        assert [one["evaluation_id"] for one in page["evaluations"]] == made[1:]
        assert {one["metrics"] for one in page["evaluations"]} == {None}
        seeded, *_ = nugen.get("/evaluations?status=READY")["evaluations"]
        assert list(seeded) == [
            "evaluation_id", "model_id", "benchmark_id", "status", "judge_provider", "created_at", "metrics",
        ]  # fmt: skip
        assert list(seeded["metrics"]) == ["base_model", "eval_model"]
        assert nugen.get(f"/evaluations?model_id={DEPLOYED}")["total"] == 4
        beyond = nugen.get("/evaluations?offset=9")
        assert (beyond["evaluations"], beyond["total"], beyond["limit"], beyond["offset"]) == ([], 5, 10, 9)
        for query in ("limit=0", "limit=101", "offset=-1", "status=DONE"):
            assert nugen.refused("GET", f"/evaluations?{query}")[0] == 422

    def test_one_can_fail(self, nugen: Platform) -> None:
        made = nugen.post("/evaluations", {**EVALUATION, "evaluation_name": "emu-evaluation-failure"})
        nugen.wait("2m")
        found = nugen.get(f"/evaluations/{made['evaluation_id']}/status")
        assert (found["status"], found["progress"], found["eta_seconds"]) == ("FAILED", None, None)


class TestAnswerEngines:
    def test_one_is_made_of_documents_and_asked(self, nugen: Platform) -> None:
        told = {"answer_engine_name": "Leases", "model_llm": "gpt-oss-20b", "model_embedding": "nugen-flash-embed"}
        fields = [multipart.text(value, name) for name, value in told.items()]
        document = multipart.file("A lease. " * 300, "lease.txt", "text/plain", "documents")
        made = nugen.post(
            "/answer-engine", multipart.form([*fields, document, multipart.text("s3://a/b.json", "s3_uris")])
        )
        engine = made["data"]
        assert list(engine) == [
            "answer_engine_id", "status", "answer_engine_name", "user_id", "org_id", "document_count", "chunk_count",
            "error_message", "created_at",
        ]  # fmt: skip
        assert (engine["status"], engine["document_count"], engine["chunk_count"]) == ("ready", 2, 3)
        path = f"/answer-engine/{engine['answer_engine_id']}/chat"
        first = nugen.post(path, {"query": "What is a lease?"})
        assert list(first) == [
            "answer_engine_id", "conv_thread_id", "query_id", "query", "model_llm", "answer", "token_usage",
        ]  # fmt: skip
        assert (first["query"], first["model_llm"]) == ("What is a lease?", "llama-v3p3-70b-instruct")
        again = nugen.post(path, {"query": "And a will?", "conv_thread_id": first["conv_thread_id"], "model_llm": "x"})
        assert (again["conv_thread_id"], again["model_llm"]) == (first["conv_thread_id"], "x")
        assert again["query_id"] != first["query_id"]
        assert nugen.refused("POST", "/answer-engine", multipart.form(fields))[0] == 400
        assert nugen.refused("POST", "/answer-engine", multipart.form([document]))[0] == 422
        assert nugen.refused("POST", "/answer-engine/ae_1/chat", {"query": "Hi"}) == (404, "Engine not found")
        for wrong in ({}, {"query": "Hi", "top_k": 0}, {"query": "Hi", "top_k": 31}):
            assert nugen.refused("POST", path, wrong)[0] == 422


def test_keys_are_accounts(nugen: Platform) -> None:
    nugen.post("/agents/create", agent())
    assert len(nugen.ask("GET", "/agents", key="nugen-another-1").json["agents"]) == 1


def test_the_same_requests_have_the_same_bytes(nugen: Platform) -> None:
    def life() -> list[bytes]:
        nugen.handle.reset()
        nugen.emulation.clock.freeze(MONDAY)
        asked = [caller(nugen.handle, name).ask() for name in ("createAgent", "runAgent", "createEvaluation")]
        return [reply.body for reply in asked]

    assert life() == life()
