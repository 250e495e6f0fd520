"""The journal as a test reads it: what it still has, what left it, and what of a body is there."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI

from emulator import CommandError, Emulation, Handle
from emulator.handles import Journal
from emulator.mechanisms.journal import MOST_ENTRIES, MOST_LONG, MOST_TOLD

HEALTH = "/generalcompute/health"


@pytest.fixture
def http(emulator: Emulation) -> Iterator[httpx.Client]:
    with httpx.Client(transport=emulator.transport(), base_url="http://any.test") as client:
        yield client


def told_once(handle: Handle) -> tuple[Journal, list[str]]:
    """A handle's journal, and the warnings that came with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return handle.journal, [str(warning.message) for warning in caught]


@pytest.mark.emulator(allow_unmatched=True)
def test_a_journal_that_lost_entries_says_so(emulator: Emulation, http: httpx.Client) -> None:
    """And a mistyped request is told, whatever came after it."""
    gc, nugen, barrack = (emulator[name] for name in ("generalcompute", "nugen", "barrack"))
    http.get("/nugen/api/v3/agnts", headers=nugen.headers)
    http.get(HEALTH)
    assert told_once(gc)[0].left == 0
    for _ in range(MOST_ENTRIES):
        http.get(HEALTH)
    journal, told = told_once(gc)
    assert (len(journal), journal.left) == (MOST_ENTRIES, 1)
    assert told == [
        "of 1001 exchanges with generalcompute the journal has the last 1000: it holds a tenant's newest 1000"
    ]
    journal, told = told_once(nugen)
    assert (journal, journal.left) == ([], 1)
    assert told == ["of 1 exchanges with nugen the journal has the last 0: it holds a tenant's newest 1000"]
    assert told_once(barrack) == ([], [])
    assert emulator.unmatched() == ["nugen: GET /api/v3/agnts -> 404 unknown_route"]


@pytest.mark.emulator(allow_unmatched=True)
def test_what_is_reset_is_not_lost(emulator: Emulation, http: httpx.Client) -> None:
    for path in ("/nugen/nowhere", "/generalcompute/nowhere", HEALTH):
        http.get(path)
    emulator["generalcompute"].reset()
    assert (emulator["generalcompute"].journal, emulator["generalcompute"].journal.left) == ([], 0)
    assert [entry.path for entry in emulator["nugen"].journal] == ["/nowhere"]
    assert emulator.unmatched() == ["nugen: GET /nowhere -> 404 unknown_route"]
    assert emulator["nugen"].journal.left == 0
    httpx.delete(f"{emulator.address}/~{emulator.tenant}/_emulator/journal")
    http.get(HEALTH)
    assert [entry.raw["number"] for entry in emulator["generalcompute"].journal] == [1]
    assert emulator["nugen"].journal.left == 0
    assert emulator.unmatched() == []


@pytest.mark.emulator(allow_unmatched=True)
def test_of_many_unmatched_requests_the_first_are_told(emulator: Emulation, http: httpx.Client) -> None:
    http.get("/nugn/nowhere")
    for number in range(MOST_TOLD + 5):
        http.get(f"/nugen/nowhere/{number}")
    http.get("/barrack/nowhere")
    lines = emulator.unmatched()
    assert lines[:2] == [
        "no provider: GET /nugn/nowhere -> 404 unknown address",
        "nugen: GET /nowhere/0 -> 404 unknown_route",
    ]
    assert lines[-3:] == [
        f"nugen: GET /nowhere/{MOST_TOLD - 1} -> 404 unknown_route",
        "barrack: GET /nowhere -> 404 unknown_route",
        "nugen: and 5 more",
    ]


@pytest.mark.emulator(allow_unmatched=True)
def test_unmatched_requests_are_told_in_their_order_and_no_longer_than_a_line(
    emulator: Emulation, http: httpx.Client
) -> None:
    for path in ("/nugen/a", "/generalcompute/b", "/nugen/c" + "c" * 5000):
        http.get(path)
    assert emulator.unmatched() == [
        "nugen: GET /a -> 404 unknown_route",
        "generalcompute: GET /b -> 404 unknown_route",
        f"nugen: GET /{'c' * 999} -> 404 unknown_route",
    ]


def test_a_long_body_is_kept_whole(generalcompute: Handle, client: OpenAI) -> None:
    prompt = "word " * 14_000
    messages: Any = [{"role": "system", "content": prompt}, {"role": "user", "content": "Hello"}]
    client.chat.completions.create(model="gpt-oss-120b", messages=messages)
    [entry] = generalcompute.journal
    assert entry.json["messages"] == messages
    assert entry.raw["request"]["size"] == len(entry.raw["request"]["body"]) > len(prompt)
    assert entry.raw["request"]["cut"] is False


def test_long_bodies_together_are_bounded(emulator: Emulation, http: httpx.Client) -> None:
    """The oldest are cut, and say so; shorter ones stay."""
    gc = emulator["generalcompute"]

    def ask(length: int) -> None:
        body = {"model": gc.models[0], "messages": [{"role": "user", "content": "Hello"}], "user": "x" * length}
        http.post("/generalcompute/v1/chat/completions", headers=gc.headers, json=body)

    third = MOST_LONG // 3
    for length in (third, 1, third, third):
        ask(length)
    cut, short, *whole = gc.journal
    assert [len(entry.json["user"]) for entry in (short, *whole)] == [1, third, third]
    assert cut.raw["request"]["cut"]
    assert cut.raw["request"]["body"].startswith('{"model":')
    with pytest.raises(CommandError, match=rf"only the beginning of this body of {cut.raw['request']['size']} bytes"):
        _ = cut.json


def test_a_body_that_is_not_there_is_none(emulator: Emulation, http: httpx.Client) -> None:
    http.get("/generalcompute/v1/models", headers=emulator["generalcompute"].headers)
    assert emulator["generalcompute"].journal[0].json is None


def test_a_body_that_is_no_json_says_what_it_is(emulator: Emulation, http: httpx.Client) -> None:
    nugen, gc = emulator["nugen"], emulator["generalcompute"]
    file = ("a.pdf", b"\xff\x00hello", "application/pdf")
    http.post("/nugen/api/v3/documents", headers=nugen.headers, files={"files": file})
    with pytest.raises(
        CommandError, match=r"the body \(multipart/form-data\) is no JSON: .*raw\['request'\]\['body'\]"
    ):
        _ = nugen.journal[0].json
    for body in ("{", "[" * 100_000):
        http.post("/generalcompute/v1/chat/completions", headers=gc.headers, content=body)
        with pytest.raises(CommandError, match=r"the body \(of no content type\) is no JSON: "):
            _ = gc.journal[-1].json
    http.post("/generalcompute/v1/chat/completions", headers=gc.headers, content=json.dumps(7))
    assert gc.journal[-1].json == 7
