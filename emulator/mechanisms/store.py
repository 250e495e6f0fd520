"""Where all mutable state lives: cells of plain data, keyed by tenant, kind and key.

A cell holds JSON data only (dicts, lists, strings, numbers), or what becomes such by its `shown()`, so any store can
keep it. `Store` is
memory; `SQLiteStore` also writes every touched cell to one file when the exchange that touched it ends.
"""

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from sqlite3 import Connection

log = logging.getLogger("emulator")

CellKey = tuple[str, str]
_FORMAT = 1
"""Of the files that are written here, which say so (`user_version`); those of before say 0, and are the same."""
_PATIENCE = 1.0  # seconds that everybody waits for a file that somebody else writes to
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


class UnusableState(OSError):
    """A file that state cannot be kept in. `hint` is the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


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

    The file is this store's alone until it is closed or its process ends; others may read it meanwhile.

    Raises sqlite3.Error for a file that cannot be opened or is no database, UnusableState for one of a newer format,
    for one that another store holds, and for one with a cell that is no JSON.
    """

    def __init__(self, path: str | Path) -> None:
        import sqlite3  # only where state is kept

        super().__init__()
        self._busy = sqlite3.OperationalError
        self._failed, self._closed = sqlite3.DatabaseError, sqlite3.ProgrammingError
        self._hold: Connection | None = None
        self._late: dict[str, Tenant] = {}
        self._db = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
        try:
            self._known_format()  # before anything is written
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._hold = self._held()
            self._read()
            with suppress(self._busy):  # the next start says it, then
                self._db.execute(f"PRAGMA user_version={_FORMAT}")
        except (sqlite3.Error, OSError):
            self.close()
            raise

    def _known_format(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found not in range(_FORMAT + 1):
            message = f"its format is {found}, and this emulator knows {_FORMAT}"
            raise UnusableState(message, "use the emulator that wrote it, which is newer, or choose a new file")

    def _held(self) -> "Connection":
        """A lock for as long as it is open, on a file of its own: one on the database would keep readers out, too."""
        import sqlite3

        _, _, file = self._db.execute("PRAGMA database_list").fetchone()
        hold = sqlite3.connect(f"{file}-lock" if file else "", timeout=0, check_same_thread=False, isolation_level=None)
        try:
            hold.execute("BEGIN EXCLUSIVE")
        except self._busy:
            hold.close()
            raise UnusableState("another server keeps its state there", "stop that one, or choose a new file") from None
        return hold

    def _read(self) -> None:
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS cells (tenant TEXT, kind TEXT, key TEXT, data TEXT,"
            " PRIMARY KEY (tenant, kind, key)) WITHOUT ROWID"
        )
        for tenant, kind, key, data in self._db.execute("SELECT tenant, kind, key, data FROM cells"):
            try:
                self.tenant(tenant).cells[(kind, key)] = json.loads(data)
            except (ValueError, TypeError, RecursionError):
                message = f"the cell `{f'{kind} {key}'.strip()}` of the tenant {tenant} cannot be read"
                raise UnusableState(message, "choose a new file, or restore this one") from None

    def commit(self, tenant: Tenant) -> None:
        """What cannot be written now (a locked or broken file, a full disk) is with the next commit, or at the end."""
        if not tenant.touched:
            return
        cells = [(cell_key, self._text(tenant, cell_key)) for cell_key in list(tenant.touched)]
        try:
            self._write(tenant.name, cells)
        except self._closed:
            raise
        except self._failed as error:
            log.warning("state is not kept before the next request: %s", error)
            self._late[tenant.name] = tenant
        else:
            self._late.pop(tenant.name, None)
            tenant.touched.clear()

    def _text(self, tenant: Tenant, cell_key: CellKey) -> str | None:
        """A cell as it is kept; None for one that is not."""
        if cell_key[0] == IN_FLIGHT or cell_key not in tenant.cells:
            return None
        try:
            return _written(tenant.cells[cell_key])
        except BaseException:
            tenant.touched.discard(cell_key)  # or no later exchange would be kept either
            raise

    def _write(self, name: str, cells: list[tuple[CellKey, str | None]]) -> None:
        """All of the cells, or none."""
        try:
            self._db.execute("BEGIN")
            for (kind, key), data in cells:
                if data is None:
                    self._db.execute("DELETE FROM cells WHERE tenant = ? AND kind = ? AND key = ?", (name, kind, key))
                else:
                    self._db.execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", (name, kind, key, data))
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        with self.lock:  # or another thread might be writing: SQLite does not survive that
            for tenant in list(self._late.values()):
                self.commit(tenant)
            self._late.clear()
            self._db.close()
            if self._hold is not None:
                self._hold.close()
