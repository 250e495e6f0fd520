"""State: isolated by tenant, atomic by exchange, and kept across a restart when it is to be."""

import json
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import EmulatorServer, make_runtime
from emulator.mechanisms import journal
from emulator.mechanisms.store import SQLiteStore, Store, UnusableState

KEYS = st.sampled_from(["a", "b", "ü", "a:b", ""])
CELLS = st.lists(st.tuples(KEYS, KEYS, KEYS, st.integers(0, 3)), max_size=12)


def write(store: Store, cells: list[tuple[str, str, str, int]]) -> None:
    """Count up cells of tenants; a 0 forgets."""
    for name, kind, key, number in cells:
        tenant = store.tenant(name)
        if number:
            tenant.cell(kind, key, dict)["n"] = number
        else:
            tenant.forget(kind, key)
        store.commit(tenant)


def held(store: Store) -> dict[tuple[str, str, str], Any]:
    return {
        (name, kind, key): data for name, tenant in store.tenants.items() for (kind, key), data in tenant.cells.items()
    }


@given(CELLS, CELLS)
@settings(max_examples=25, deadline=None)
def test_a_reopened_store_holds_what_memory_would(
    tmp_path_factory: pytest.TempPathFactory, first: list[Any], second: list[Any]
) -> None:
    file = tmp_path_factory.mktemp("store") / "state.sqlite"
    memory = Store()
    for cells in (first, second):
        write(memory, cells)
        durable = SQLiteStore(file)
        write(durable, cells)
        assert held(durable) == held(memory)
        durable.close()
    reopened = SQLiteStore(file)
    assert held(reopened) == held(memory)
    reopened.close()


def test_only_commits_are_kept(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.sqlite")
    tenant = store.tenant("t")
    tenant.cell("kind", "kept", dict)["n"] = 1
    store.commit(tenant)
    tenant.cell("kind", "lost", dict)["n"] = 1
    store.close()
    again = SQLiteStore(tmp_path / "state.sqlite")
    assert held(again) == {("t", "kind", "kept"): {"n": 1}}
    again.close()


def test_tenants_share_nothing() -> None:
    store = Store()
    store.tenant("a").cell("kind", "key", list).append(1)
    assert store.tenant("b").peek("kind", "key") is None
    store.tenant("b").clear()
    assert store.tenant("a").peek("kind", "key") == [1]


def test_clear_by_kind() -> None:
    tenant = Store().tenant("t")
    for kind in ("windows", "accounts"):
        tenant.cell(kind, "x", dict)
    tenant.clear({"windows"})
    assert list(tenant.cells) == [("accounts", "x")]


def test_the_journal_holds_the_newest_thousand() -> None:
    tenant = Store().tenant("t")
    for number in range(journal.MOST_ENTRIES + 5):
        journal.append(tenant, journal.Entry(0.0, "GET", "/", {}, b"", status=number, matched=True))
    kept = journal.entries(tenant)
    assert [e["status"] for e in kept] == list(range(5, journal.MOST_ENTRIES + 5))
    assert [e["number"] for e in kept] == list(range(6, journal.MOST_ENTRIES + 6))


def test_a_long_body_that_left_takes_no_room_from_the_one_in_its_place() -> None:
    tenant, body = Store().tenant("t"), b"x" * (journal.MOST_LONG // 2 + 1)
    for number in range(journal.MOST_ENTRIES + 1):
        sent = body if number in (0, journal.MOST_ENTRIES) else b""
        journal.append(tenant, journal.Entry(0.0, "POST", "/", {}, sent, status=200, matched=True))
    newest = journal.entries(tenant)[-1]["request"]
    assert (len(newest["body"]), newest["cut"]) == (len(body), False)


def test_long_bodies_of_a_kept_journal_are_cut(tmp_path: Path) -> None:
    body = b"x" * (journal.MOST_LONG // 2 + 1)
    for _ in range(2):
        with closing(SQLiteStore(tmp_path / "state.sqlite")) as store:
            tenant = store.tenant("t")
            journal.append(tenant, journal.Entry(0.0, "POST", "/", {}, body, status=200, matched=True))
            store.commit(tenant)
            asked = [entry["request"] for entry in journal.entries(tenant)]
    assert [(len(request["body"]), request["size"], request["cut"]) for request in asked] == [
        (journal.SHORT, len(body), True),
        (len(body), len(body), False),
    ]


def test_a_restarted_server_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def served() -> EmulatorServer:
        return EmulatorServer(make_runtime(["barrack"], pace=0, state=tmp_path / "state.sqlite"))

    def chat(server: EmulatorServer) -> httpx.Response:
        handle = server["barrack"]
        body = {"model": handle.models[0], "messages": [{"role": "user", "content": "Hello"}]}
        return httpx.post(f"{handle.base_url}/ai/chat/", json=body, headers=handle.headers)

    with served() as server:
        server.tenant().clock.freeze(1_700_000_000)
        server["barrack"].use("message")
        server["barrack"].fail("bad_gateway", times=2)
        assert [chat(server).status_code for _ in range(59)] == [502, 502, *[200] * 57]
    with served() as server:
        assert server.tenant().clock.now() == 1_700_000_000
        assert len(server["barrack"].journal) == 59
        assert [chat(server).status_code, chat(server).status_code] == [200, 429]
        server.tenant().clock.advance("60s")
        served_again = chat(server)
        assert served_again.status_code == 200
        assert "message" in served_again.json()["choices"][0]
        server.tenant().reset()
    with served() as server:
        assert server["barrack"].journal == []
        assert "error" in chat(server).json()["choices"][0]


def test_a_kept_variant_that_is_gone_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    with EmulatorServer(make_runtime(["barrack"], pace=0, state=file)) as server:
        server["barrack"].use("message")
    with closing(sqlite3.connect(file, isolation_level=None)) as kept:
        kept.execute("""UPDATE cells SET data = '{"names": ["renamed", "message"]}' WHERE kind = 'variants'""")
    with EmulatorServer(make_runtime(["barrack"], pace=0, state=file)) as server:
        handle = server["barrack"]
        handle.fail("bad_gateway")
        body = {"model": handle.models[0], "messages": [{"role": "user", "content": "Hello"}]}
        ask = partial(httpx.post, f"{handle.base_url}/ai/chat/", json=body, headers=handle.headers)
        assert ask().status_code == 502
        assert "message" in ask().json()["choices"][0]


def test_an_account_is_written_when_it_changes(tmp_path: Path) -> None:
    """However much it owns: that somebody looks at it costs a kept state nothing."""
    file = tmp_path / "state.sqlite"

    def taken_out() -> list[str]:
        with closing(sqlite3.connect(file)) as kept, kept:
            return [row[0] for row in kept.execute("DELETE FROM cells WHERE kind = 'accounts' RETURNING data")]

    with EmulatorServer(make_runtime(["barrack"], state=file)) as server:
        cloud = server["barrack"]
        balance = partial(httpx.get, f"{cloud.base_url}/balance/", headers=cloud.headers)
        assert balance().status_code == 200
        assert len(taken_out()) == 1
        assert balance().status_code == 200
        assert taken_out() == []
        cloud.top_up("0.10")
        (written,) = taken_out()
        assert json.loads(written)["balance"] == "25.10"


@pytest.mark.parametrize("value", [2**70, "\ud83d", "ü", 0.1, None, [1, {"a": True}]], ids=ascii)
def test_any_json_is_kept(tmp_path: Path, value: Any) -> None:
    store = SQLiteStore(tmp_path / "state.sqlite")
    store.tenant("t").cell("kind", "key", dict)["n"] = value
    store.commit(store.tenant("t"))
    store.close()
    again = SQLiteStore(tmp_path / "state.sqlite")
    assert held(again) == {("t", "kind", "key"): {"n": value}}
    again.close()


def test_what_cannot_be_written_keeps_nobody_elses_from_it(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    store = SQLiteStore(tmp_path / "state.sqlite")
    tenant = store.tenant("t")
    tenant.put(("kind", "endless"), endless)
    tenant.put(("kind", "key"), {"n": 1})
    with pytest.raises((ValueError, RecursionError)):
        store.commit(tenant)
    store.commit(tenant)
    store.close()
    again = SQLiteStore(tmp_path / "state.sqlite")
    assert held(again) == {("t", "kind", "key"): {"n": 1}}
    again.close()


def test_a_file_is_one_stores_until_it_is_closed(tmp_path: Path) -> None:
    first = SQLiteStore(tmp_path / "state.sqlite")
    with pytest.raises(UnusableState, match="another server keeps its state there"):
        SQLiteStore(tmp_path / "state.sqlite")
    first.close()
    SQLiteStore(tmp_path / "state.sqlite").close()


def test_a_store_is_closed_behind_an_exchange_that_is_under_way(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.db")
    about_to = threading.Event()

    def close() -> None:
        about_to.set()
        store.close()

    thread = threading.Thread(target=close)
    with store.lock:
        thread.start()
        about_to.wait()
        for number in range(1000):
            store.tenant("blue").put(("kind", "key"), number)
            store.commit(store.tenant("blue"))
    thread.join()
    again = SQLiteStore(tmp_path / "state.db")
    assert again.tenant("blue").peek("kind", "key") == 999
    again.close()
