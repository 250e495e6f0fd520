"""Where all mutable state lives: cells of plain data, keyed by tenant, kind and key.

A cell holds JSON data only (dicts, lists, strings, numbers), or what becomes such by its `shown()`, so any store can
keep it. `Store` is
memory; `SQLiteStore` also writes every touched cell to one file when the exchange that touched it ends.
"""

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

CellKey = tuple[str, str]
IN_FLIGHT = "in_flight"
"""The kind of cells that say what goes on at the moment: no file keeps them."""


class Tenant:
    """One isolated copy of all mutable state."""

    __slots__ = ("cells", "crowded_at", "name", "touched")

    def __init__(self, name: str, cells: dict[CellKey, Any] | None = None) -> None:
        self.name = name
        self.cells: dict[CellKey, Any] = cells if cells is not None else {}
        self.touched: set[CellKey] = set()
        self.crowded_at = 0
        """The number of cells at which those that can be spared are looked for again."""

    def cell(self, kind: str, key: str, default: Callable[[], Any]) -> Any:
        """The mutable data under `kind` and `key`, made by `default` when absent; counts as written."""
        cell_key = (kind, key)
        self.touched.add(cell_key)
        cell = self.cells.get(cell_key)
        if cell is None:
            cell = self.cells[cell_key] = default()
        return cell

    def lent(self, kind: str, key: str) -> tuple[dict[str, Any], Callable[[], None]]:
        """The same, for a mapping that may be large: it counts as written once the function beside it is called."""
        cell_key = (kind, key)
        cell = self.cells.get(cell_key)
        if cell is None:
            cell = self.cells[cell_key] = {}
        return cell, partial(self.touched.add, cell_key)

    def put(self, cell_key: CellKey, data: Any) -> None:
        """Keep data in a cell, whatever was there."""
        self.touched.add(cell_key)
        self.cells[cell_key] = data

    def peek(self, kind: str, key: str) -> Any:
        """The data under `kind` and `key` for reading only, or None."""
        return self.cells.get((kind, key))

    def forget(self, kind: str, key: str) -> None:
        """Drop one cell, if it is there."""
        if self.cells.pop((kind, key), None) is not None:
            self.touched.add((kind, key))

    def clear(self, kinds: set[str] | None = None) -> None:
        """Forget every cell, or those of the given kinds."""
        for cell_key in [k for k in self.cells if kinds is None or k[0] in kinds]:
            del self.cells[cell_key]
            self.touched.add(cell_key)


class Store:
    """All tenants, in memory. `lock` makes one exchange's reads and writes atomic."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tenants: dict[str, Tenant] = {}

    def tenant(self, name: str) -> Tenant:
        tenant = self.tenants.get(name)
        if tenant is None:
            tenant = self.tenants[name] = Tenant(name)
        return tenant

    def commit(self, tenant: Tenant) -> None:
        """Called when an exchange or a control call ends; memory has nothing more to do."""
        tenant.touched.clear()

    def close(self) -> None:
        """Release what the store holds open."""


def _shown(thing: Any) -> Any:
    """What is not plain data yet, as such."""
    return thing.shown()


def _written(data: Any) -> str:
    try:
        return orjson.dumps(data, default=_shown).decode()
    except TypeError:  # an integer over 64 bits, half a surrogate pair
        return json.dumps(data, separators=(",", ":"), default=_shown)


class SQLiteStore(Store):
    """The same, kept in one SQLite file, so that a restarted server goes on where it stopped.

    Raises sqlite3.Error for a file that cannot be opened or is no database.
    """

    def __init__(self, path: str | Path) -> None:
        import sqlite3  # only where state is kept

        super().__init__()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._read()
        except sqlite3.Error:
            self._db.close()
            raise

    def _read(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS cells (tenant TEXT, kind TEXT, key TEXT, data TEXT,"
            " PRIMARY KEY (tenant, kind, key)) WITHOUT ROWID"
        )
        for tenant, kind, key, data in self._db.execute("SELECT tenant, kind, key, data FROM cells"):
            self.tenant(tenant).cells[(kind, key)] = json.loads(data)

    def commit(self, tenant: Tenant) -> None:
        if not tenant.touched:
            return
        self._db.execute("BEGIN")
        for kind, key in tenant.touched:
            if kind == IN_FLIGHT:
                continue
            if (kind, key) in tenant.cells:
                data = _written(tenant.cells[(kind, key)])
                self._db.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", (tenant.name, kind, key, data))
            else:
                self._db.execute(
                    "DELETE FROM cells WHERE tenant = ? AND kind = ? AND key = ?", (tenant.name, kind, key)
                )
        self._db.execute("COMMIT")
        tenant.touched.clear()

    def close(self) -> None:
        self._db.close()
