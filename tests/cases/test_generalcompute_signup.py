"""generalcompute: an agent signs up, reads its code in the outbox and uses its key until the free credit is spent."""

import json
import re
from decimal import Decimal
from typing import Any

import httpx
import pytest

from emulator import Emulation, EmulatorServer, Handle, make_runtime

from .catalogue import BODIES, caller
from .raw import RawReply, key_order, send

EIGHT_OCLOCK = 1_800_000_000  # 2027-01-15T08:00:00Z
EMAIL = "user@example.com"
WRONG = (400, "Invalid verification code", "code", "invalid_request_error")
EXPIRED = (400, "Verification code has expired", "code", "verification_code_expired")
ACTIVE = (409, "Email already has an active signup", "email", "conflict")


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    emulator.clock.freeze(EIGHT_OCLOCK)
    return emulator["generalcompute"]


def posted(handle: Handle, path: str, body: Any, headers: dict[str, str] | None = None) -> RawReply:
    sent = {"Content-Type": "application/json", **(headers or {})}
    return send("POST", handle.base_url + path, sent, json.dumps(body).encode())


def sign_up(handle: Handle, email: str = EMAIL) -> RawReply:
    return posted(handle, "/public/agent-signups", {"email": email})


def verify(handle: Handle, signup: str, code: str) -> RawReply:
    return posted(handle, f"/public/agent-signups/{signup}/verify", {"code": code})


def begun(handle: Handle, email: str = EMAIL) -> tuple[str, str]:
    """The id of a new sign-up, and the code that was sent."""
    reply = sign_up(handle, email)
    assert reply.status == 201
    return reply.json["signupId"], handle.outbox[-1].values["code"]


def account(handle: Handle, email: str = EMAIL) -> dict[str, str]:
    """A whole sign-up."""
    found: dict[str, str] = verify(handle, *begun(handle, email)).json
    return found


def wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


def told(reply: RawReply) -> tuple[int, str, str, str]:
    error = reply.json["error"]
    assert error["type"] == "invalid_request_error"
    return reply.status, error["message"], error["param"], error["code"]


def chat(handle: Handle, key: str, **change: Any) -> RawReply:
    body = {**BODIES["generalcompute"], **change}
    return posted(handle, "/chat/completions", body, {"Authorization": f"Bearer {key}"})


class TestBeginning:
    def test_the_reply(self, handle: Handle) -> None:
        reply = sign_up(handle)
        assert reply.status == 201
        assert list(reply.json) == ["signupId", "verificationChannel", "destination", "expiresAt"]
        assert reply.json["verificationChannel"] == "email"
        assert reply.json["destination"] == "us***@example.com"
        assert reply.json["expiresAt"] == "2027-01-15T08:15:00Z"

    def test_the_message(self, handle: Handle) -> None:
        signup = sign_up(handle).json["signupId"]
        (message,) = handle.outbox
        assert (message.to, message.at) == (EMAIL, EIGHT_OCLOCK)
        assert message.values["signupId"] == signup
        assert re.fullmatch("[0-9]{6}", message.values["code"])
        assert message.values["code"] in message.text

    def test_the_code_is_in_no_reply_of_the_provider(self, handle: Handle) -> None:
        reply = sign_up(handle)
        assert handle.outbox[-1].values["code"] not in reply.text

    @pytest.mark.parametrize(("email", "shown"), [("a@b.test", "a***@b.test"), ("Ann.Lee@b.test", "an***@b.test")])
    def test_the_address_is_masked(self, handle: Handle, email: str, shown: str) -> None:
        assert sign_up(handle, email).json["destination"] == shown

    @pytest.mark.parametrize("body", [{}, {"email": 1}, {"email": ""}, {"email": "nobody"}, {"email": "a b@c.test"}])
    def test_an_address_that_is_none(self, handle: Handle, body: dict[str, Any]) -> None:
        reply = posted(handle, "/public/agent-signups", body)
        assert (reply.status, reply.json["error"]["param"]) == (400, "email")
        assert handle.outbox == []

    def test_a_key_makes_no_difference(self, handle: Handle) -> None:
        reply = posted(handle, "/public/agent-signups", {"email": EMAIL}, {"Authorization": "Bearer gc_revoked_1"})
        assert reply.status == 201
        assert told(sign_up(handle)) == ACTIVE

    @pytest.mark.parametrize("again", [EMAIL, "USER@Example.com"])
    def test_one_sign_up_an_address(self, handle: Handle, again: str) -> None:
        sign_up(handle)
        assert told(sign_up(handle, again)) == ACTIVE
        assert len(handle.outbox) == 1
        assert sign_up(handle, "other@example.com").status == 201

    def test_an_address_that_has_a_key_has_its_sign_up(self, emulator: Emulation, handle: Handle) -> None:
        account(handle)
        emulator.clock.advance("30d")
        assert told(sign_up(handle)) == ACTIVE


class TestVerifying:
    def test_the_reply(self, handle: Handle) -> None:
        reply = verify(handle, *begun(handle))
        assert reply.status == 200
        assert [key for key, _ in key_order(reply.json)] == [
            "status", "apiKey", "organizationId", "userId", "docs", "quickstart",
        ]  # fmt: skip
        assert (reply.json["status"], reply.json["docs"]) == ("completed", "https://docs.generalcompute.com")
        assert re.fullmatch("gc_[a-zA-Z0-9_]{32}", reply.json["apiKey"].partition("~")[0])
        assert reply.json["apiKey"] in reply.json["quickstart"]["curl"]

    def test_the_key_is_shown_once(self, handle: Handle) -> None:
        signup, code = begun(handle)
        assert verify(handle, signup, code).status == 200
        assert told(verify(handle, signup, code)) == WRONG

    def test_four_wrong_codes_and_the_right_one(self, handle: Handle) -> None:
        signup, code = begun(handle)
        assert [told(verify(handle, signup, wrong(code))) for _ in range(4)] == [WRONG] * 4
        assert verify(handle, signup, code).status == 200

    def test_after_five_wrong_codes_the_right_one_is_wrong(self, handle: Handle) -> None:
        signup, code = begun(handle)
        assert [told(verify(handle, signup, wrong(code))) for _ in range(5)] == [WRONG] * 5
        assert told(verify(handle, signup, code)) == WRONG

    def test_out_of_attempts_one_can_begin_again(self, handle: Handle) -> None:
        signup, code = begun(handle)
        for _ in range(5):
            verify(handle, signup, wrong(code))
        another, fresh = begun(handle)
        assert another != signup
        assert verify(handle, another, fresh).status == 200

    @pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "", 123456, None])
    def test_what_is_no_code_is_no_attempt(self, handle: Handle, code: Any) -> None:
        signup, right = begun(handle)
        for _ in range(6):
            reply = verify(handle, signup, code)
            assert (reply.status, reply.json["error"]["param"]) == (400, "code")
        assert verify(handle, signup, right).status == 200

    def test_the_last_moment(self, emulator: Emulation, handle: Handle) -> None:
        signup, code = begun(handle)
        emulator.clock.advance("14m59s")
        assert verify(handle, signup, code).status == 200

    def test_a_code_expires(self, emulator: Emulation, handle: Handle) -> None:
        signup, code = begun(handle)
        emulator.clock.advance("15m")
        assert [told(verify(handle, signup, c)) for c in (wrong(code), code)] == [EXPIRED] * 2
        assert verify(handle, *begun(handle)).status == 200

    def test_a_finished_sign_up_does_not_expire(self, emulator: Emulation, handle: Handle) -> None:
        signup, code = begun(handle)
        verify(handle, signup, code)
        emulator.clock.advance("1h")
        assert told(verify(handle, signup, code)) == WRONG

    def test_a_sign_up_that_is_not_there(self, handle: Handle) -> None:
        assert told(verify(handle, "nope", "123456")) == (404, "Signup not found", "signupId", "not_found")

    def test_the_code_of_another_sign_up_is_wrong(self, handle: Handle) -> None:
        (one, code), (another, its) = begun(handle), begun(handle, "other@example.com")
        assert code != its
        assert told(verify(handle, one, its)) == WRONG
        assert verify(handle, another, its).status == 200

    def test_every_account_is_another(self, handle: Handle) -> None:
        one, another = account(handle), account(handle, "other@example.com")
        for name in ("apiKey", "organizationId", "userId"):
            assert one[name] != another[name]


class TestKey:
    def test_it_works(self, handle: Handle) -> None:
        key = account(handle)["apiKey"]
        reply = chat(handle, key)
        assert reply.status == 200
        assert reply.header("x-ratelimit-limit-requests") == "100"
        assert send("GET", f"{handle.base_url}/models", {"Authorization": f"Bearer {key}"}).status == 200

    def test_it_leads_to_its_tenant_by_itself(self, emulator: Emulation, handle: Handle) -> None:
        key = account(handle)["apiKey"]
        headers = {"Authorization": f"Bearer {key}"}
        assert send("GET", f"{handle.root_url}/v1/models", headers).status == 200
        assert handle.journal[-1].operation == "listModels"

    def test_it_works_where_only_declared_keys_do(self) -> None:
        with EmulatorServer(make_runtime(["generalcompute"], strict_auth=True, pace=0)) as server:
            handle = server.tenant()["generalcompute"]
            assert chat(handle, account(handle)["apiKey"]).status == 200
            assert chat(handle, "made-up").status == 401

    def test_five_dollars(self, emulator: Emulation, handle: Handle) -> None:
        """4,000,000 tokens of the dearest model, at 1.20 a million, leave 20 cents; the next million is owed."""
        key = account(handle)["apiKey"]
        usage = {"prompt_tokens": 0, "completion_tokens": 4_000_000}
        handle.play([{"times": 2, "reply": {"usage": usage}}])
        left = []
        for _ in range(2):
            assert chat(handle, key, model="minimax-m2.7").status == 200
            left.append(handle.journal[-1].raw["charged"])
            emulator.clock.advance("1m")
        assert [(Decimal(c["amount"]), Decimal(c["balance"])) for c in left] == [
            (Decimal("4.8"), Decimal("0.2")),
            (Decimal("4.8"), Decimal("-4.6")),
        ]
        reply = chat(handle, key)
        assert (reply.status, reply.json["error"]["code"]) == (402, "insufficient_quota")
        assert send("GET", f"{handle.base_url}/models", {"Authorization": f"Bearer {key}"}).status == 200
        handle.top_up(5, key)
        assert chat(handle, key).status == 200

    @pytest.mark.parametrize(
        ("model", "price"),
        [
            ("minimax-m2.7", "1.48"), ("deepseek-v3.2", "0.63"), ("deepseek-v3.1", "1"), ("gpt-oss-120b", "1"),
            ("gemma-4-31B-it", "0"),
        ],
    )  # fmt: skip
    def test_the_price_goes_by_the_model(self, handle: Handle, model: str, price: str) -> None:
        handle.play([{"reply": {"usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}}}])
        assert chat(handle, "gc_agent_1", model=model).status == 200
        assert Decimal(handle.journal[-1].raw["charged"]["amount"]) == Decimal(price)

    @pytest.mark.parametrize("key", ["gc_live_1", "gc_developer_1", "anything"])
    def test_nothing_is_drawn_for_other_keys(self, handle: Handle, key: str) -> None:
        assert chat(handle, key).status == 200
        assert handle.journal[-1].raw["charged"] is None


class TestOutbox:
    def test_it_is_the_tenants_own(self, emulator: Emulation, handle: Handle) -> None:
        sign_up(handle)
        another = Emulation(emulator.runtime, "another", emulator.address, {})
        assert another["generalcompute"].outbox == []
        assert emulator["nugen"].outbox == []

    def test_the_newest_is_last(self, handle: Handle) -> None:
        for email in ("a@b.test", "c@d.test"):
            sign_up(handle, email)
        assert [message.to for message in handle.outbox] == ["a@b.test", "c@d.test"]

    def test_a_reset_empties_it(self, handle: Handle) -> None:
        sign_up(handle)
        handle.reset()
        assert handle.outbox == []
        assert sign_up(handle).status == 201

    def test_a_refusal_that_was_asked_for_sends_nothing(self, handle: Handle) -> None:
        handle.fail("server_error")
        assert sign_up(handle).status == 500
        assert handle.outbox == []

    def test_the_control_api_has_it(self, emulator: Emulation, handle: Handle) -> None:
        sign_up(handle)
        (message,) = httpx.get(handle.origin.replace("/generalcompute", "/_emulator/outbox")).json()
        assert message == {
            "provider": "generalcompute",
            "at": EIGHT_OCLOCK,
            "to": EMAIL,
            "subject": handle.outbox[0].subject,
            "text": handle.outbox[0].text,
            "values": dict(handle.outbox[0].values),
        }


def test_the_same_seed_has_the_same_codes_and_keys(handle: Handle, emulator: Emulation) -> None:
    def life() -> tuple[Any, ...]:
        emulator.reset()
        emulator.clock.freeze(EIGHT_OCLOCK)
        return begun(handle, "a@b.test"), account(handle)

    assert life() == life()


def test_the_example_of_the_documentation_can_be_verified(handle: Handle) -> None:
    reply = caller(handle, "verifyAgentSignup").ask(key=None)
    assert reply.status == 200


def test_a_stopped_emulator_knows_its_sign_ups(tmp_path: Any) -> None:
    def run(what: Any) -> Any:
        runtime = make_runtime(["generalcompute"], state=tmp_path / "state.sqlite", pace=0)
        with EmulatorServer(runtime) as server:
            return what(server.tenant()["generalcompute"])

    signup, code = run(begun)
    assert [told(run(lambda handle: verify(handle, signup, wrong(code)))) for _ in range(5)] == [WRONG] * 5
    assert run(lambda handle: handle.outbox[-1].values["code"]) == code
    assert told(run(lambda handle: verify(handle, signup, code))) == WRONG
