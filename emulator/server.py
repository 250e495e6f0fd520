"""Serving: listening sockets, own ports, and a server in the background of a test process."""

import asyncio
import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import uvicorn

from emulator import catalog, commands
from emulator.app import EmulatorApp
from emulator.commands import CommandError
from emulator.exchange import Runtime
from emulator.mechanisms.clock import TimeScale
from emulator.mechanisms.store import SQLiteStore, Store
from emulator.mechanisms.tenants import DEFAULT_TENANT
from emulator.provider import ProviderFamily
from emulator.wire.certificates import Authority, own_hosts
from emulator.wire.listeners import Listener
from emulator.wire.protocol import Protocol

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from emulator.handles import Emulation, Handle

log = logging.getLogger("emulator")
_FASTEST = 1e9  # at which the calendar ends after some minutes


def make_runtime(
    providers: Sequence[str] = (),
    *,
    data: Sequence[str | Path] = (),
    seed: int = 0,
    pace: float = 1.0,
    speed: float = 1.0,
    strict_auth: bool = False,
    state: str | Path | None = None,
    scenarios: Mapping[str, str] | None = None,
    latency: Mapping[str, str] | None = None,
    variants: Mapping[str, Sequence[str]] | None = None,
) -> Runtime:
    """Load the data and put it beside a store. With a `speed`, time runs so many times faster, delays included.

    Raises catalog.LoadError for data that cannot be used, KeyError for a provider that does not exist,
    CommandError for a scenario, variant or latency profile that does not, for a pace or speed that is none or a speed
    that comes with a state; sqlite3.Error or OSError for an unusable `state`.
    """
    for name, listed in (("providers", providers), ("data", data)):
        if isinstance(listed, (str, Path)):
            raise CommandError(f"`{name}` is a list: ['{listed}']")
    if not 0 <= pace < math.inf:
        raise CommandError(f"{pace} is no pace: a number from zero on")
    if not 0 < speed <= _FASTEST:
        raise CommandError(f"{speed} is no speed: a number above zero, at most {_FASTEST:g}")
    if speed != 1 and state is not None:
        raise CommandError("a kept state and a speed do not go together: a new start would find it in the future")
    runtime = Runtime(
        providers=_families(providers, data),
        store=Store(),
        seed=seed,
        pace=pace / speed,
        time=TimeScale(speed),
        strict_auth=strict_auth,
        scenarios=dict(scenarios or {}),
        latency=dict(latency or {}),
        variants={name: tuple(chosen) for name, chosen in (variants or {}).items()},
    )
    for name, chosen in (variants or {}).items():
        if isinstance(chosen, str):
            raise CommandError(f"the variants of {name} are a list: ['{chosen}']")
        commands.with_variants(runtime, name, chosen)
    for name, scenario in runtime.scenarios.items():
        commands.known_scenario(commands.family(runtime, name).base, scenario)
    for name, profile in runtime.latency.items():
        commands.known_latency(commands.family(runtime, name).base, profile)
    if state is not None:
        runtime.store = SQLiteStore(state)
    return runtime


def _families(providers: Sequence[str], data: Sequence[str | Path]) -> Mapping[str, ProviderFamily]:
    try:
        return catalog.load(data, providers)
    except KeyError as error:
        error.add_note(f"no provider is called {error.args[0]!r}; `emulator list` shows them all")
        raise


def create_app(
    providers: Sequence[str] = (),
    *,
    data: Sequence[str | Path] = (),
    seed: int = 0,
    pace: float = 1.0,
    speed: float = 1.0,
) -> "Starlette":
    """The Starlette application, for any server or as a part of another one; `state.runtime` is what it answers from.

    Raises what `make_runtime` raises.
    """
    from starlette.applications import Starlette  # a server of ours has no use for it before the control API is asked
    from starlette.routing import Mount

    runtime = make_runtime(providers, data=data, seed=seed, pace=pace, speed=speed)
    app = Starlette(routes=[Mount("/", app=EmulatorApp(runtime))])
    app.state.runtime = runtime
    return app


def uvicorn_config(app: EmulatorApp) -> uvicorn.Config:
    """Of a server whose connections are ours, and nothing of its own is seen: it has no more than a life to lead."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        # On Windows, asyncio's usual loop cannot watch the sockets of listeners.
        loop="asyncio:SelectorEventLoop" if sys.platform == "win32" else "auto",
        http=Protocol,  # instead of one that would be imported; connections are made by `_Server.startup`
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,  # nobody asks who is behind a proxy
        timeout_graceful_shutdown=1,
    )


def reload_on_change(runtime: Runtime, data: Sequence[str | Path], stop: threading.Event) -> None:
    """Load the data anew whenever a file of it changes, until `stop`; what cannot be used is told and left.

    Where every provider is served that there is, those that are added are, too.
    """
    seen, every = catalog.changes(data), set(catalog.names(data)) <= set(runtime.providers)
    while not stop.wait(0.5):
        try:
            now = catalog.changes(data)
            if now != seen:
                seen = now
                _take_in(runtime, catalog.load(data, () if every else list(runtime.providers)))
        except catalog.LoadError as error:
            log.warning("not taken in:\n%s", error)
        except KeyError as error:
            log.warning("not taken in: the provider %s is gone", error)
        except FileNotFoundError:  # an editor is just replacing a file
            continue
        except Exception as error:  # of a file system, or of ours: what comes next may be better
            log.warning("not taken in: %s: %s", type(error).__name__, error)


def _take_in(runtime: Runtime, families: Mapping[str, ProviderFamily]) -> None:
    """Serve these from now on. Raises KeyError when one that was served is not among them."""
    for name in runtime.providers:
        if name not in families:
            raise KeyError(name)
    added = [f"; {name} is new, at /{name}" for name in families if name not in runtime.providers]
    runtime.serve(families)
    log.warning("taken in%s", "".join(added))  # as loud as what it puts right


class _Server(uvicorn.Server):
    """uvicorn's server, on listeners of ours."""

    def __init__(self, app: EmulatorApp, listeners: Sequence[Listener]) -> None:
        super().__init__(uvicorn_config(app))
        self._app = app
        self.listeners = listeners

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        loop, state = asyncio.get_running_loop(), self.server_state

        def protocol() -> Protocol:
            return Protocol(self._app.respond, state.connections, state.tasks, loop)

        for listener in self.listeners:
            await listener.serve(protocol, state.connections)
        self.servers = list(self.listeners)  # type: ignore[arg-type]  # as far as uvicorn looks at them
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):  # of clients that never said goodbye to TLS
            connection.transport.abort()
        await asyncio.sleep(0)


@contextmanager
def ended_by(sign: signal.Signals) -> Iterator[None]:
    """Let a signal interrupt as Ctrl+C does; uvicorn raises it again behind itself, which would end the process."""
    if threading.current_thread() is not threading.main_thread():  # no other may say what signals do
        yield
        return
    before = signal.signal(sign, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(sign, before)


class EmulatorServer:
    """An emulator on real sockets, in a background thread. A context manager.

    `url` serves every provider by path prefix; `root(provider)` is a port of the provider's own. With `tls` the
    addresses are https, and `ca_file` is what clients have to trust; a path instead of True says where it is kept.
    Without a `host` it listens on every IPv4 address.
    """

    def __init__(
        self, runtime: Runtime, host: str = "127.0.0.1", port: int = 0, *, tls: bool | str | Path = False
    ) -> None:
        """Raises OSError for an address that cannot be had, OverflowError for a number that is no port.

        AuthorityError is raised for a path where nothing can be kept.
        """
        self.runtime = runtime
        self.app = EmulatorApp(runtime)
        host = host or "0.0.0.0"  # noqa: S104  # what a socket takes it for, with a name
        self._host = host
        self._authority = Authority(None if tls is True else tls, own_hosts(host, runtime.providers)) if tls else None
        self.ca_file = self._authority.file if self._authority else None
        self._listeners: list[Listener] = []
        runtime.entrances, runtime.scheme = self._listeners, "https" if self._authority else "http"
        self._roots: dict[str, int] = {}
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._process = os.getpid()
        self.url = self._url(self._listen(port))

    def _listen(self, port: int, provider: str | None = None) -> int:
        contexts = None if self._authority is None else self._authority.context
        self._listeners.append(Listener(self._host, port, provider, contexts))
        return self._listeners[-1].port

    def _url(self, port: int) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self.runtime.scheme}://{host}:{port}"

    def own_port(self, provider: str, port: int = 0) -> int:
        """Give a provider a port of its own, before the server starts; gives the port.

        Raises CommandError for a provider that there is not, or too late; OSError for a port that cannot be had.
        """
        commands.family(self.runtime, provider)
        if self._thread is not None:
            raise CommandError("the server has started: `own_port` comes before `start`")
        self._roots[provider] = found = self._listen(port, provider)
        self.app.mounts[found] = provider
        return found

    def mount(self, provider: str) -> None:
        """Let a provider answer at the root of the main port. Raises CommandError for one that there is not."""
        commands.family(self.runtime, provider)
        self._listeners[0].provider = provider
        self._roots[provider] = self._listeners[0].port
        self.app.mounts[self._roots[provider]] = provider

    def has_root(self, provider: str) -> bool:
        return provider in self._roots

    def root(self, provider: str) -> str:
        """The address at whose root a provider answers. Raises CommandError when there is none."""
        commands.family(self.runtime, provider)
        if provider not in self._roots:
            raise CommandError(f"{provider} has no port of its own: `own_port` gives it one before the start")
        return self._url(self._roots[provider])

    def tenant(self, name: str = DEFAULT_TENANT) -> "Emulation":
        """The emulator as one tenant sees it. Raises CommandError for a name that no address can carry."""
        from emulator.handles import Emulation  # which a server from the command line has no use for

        return Emulation(self.runtime, name, self.url, {p: self.root(p) for p in self._roots}, self.ca_file)

    def __getitem__(self, provider: str) -> "Handle":
        return self.tenant()[provider]

    def __contains__(self, provider: object) -> bool:
        return provider in self.runtime.providers

    def __iter__(self) -> Iterator[str]:
        return iter(self.tenant())

    def start(self) -> "EmulatorServer":
        """Serve in the background; returns when requests are answered, at once if they already are.

        Raises CommandError for a server that was stopped, and whatever keeps this one from serving.
        """
        if self._stopped:
            raise CommandError("this server was stopped, and its ports are closed: make a new one")
        if self._thread is not None:
            return self
        started = threading.Event()
        failed: list[BaseException] = []
        self._server = server = _Server(self.app, self._listeners)

        async def serve() -> None:
            task = asyncio.ensure_future(server.serve())
            while not server.started and not task.done():
                await asyncio.sleep(0)
            if server.started:
                started.set()
            await task

        def run() -> None:
            try:
                with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
                    runner.run(serve())
            except BaseException as error:
                if started.is_set():
                    raise
                failed.append(error)
                started.set()

        self._thread = threading.Thread(target=run, name="emulator", daemon=True)
        self._thread.start()
        started.wait()
        if failed:
            self.stop()
            raise failed[0]
        return self

    def run(self, reload_from: Sequence[str | Path] | None = None) -> None:
        """Serve in this thread until a signal ends it; with `reload_from`, take in changed data on the way."""
        server = _Server(self.app, self._listeners)
        gc.freeze()  # all that was loaded stays: collections pass over it, and long ones do not delay streams
        stop = threading.Event()
        if reload_from is not None:
            threading.Thread(target=reload_on_change, args=(self.runtime, reload_from, stop), daemon=True).start()
        with ended_by(signal.SIGTERM):
            try:
                server.run()
            except KeyboardInterrupt:
                pass
            finally:
                stop.set()
                self.stop()

    def stop(self) -> None:
        """Stop serving, for good, and close the sockets and the store; but not in a process that was forked off."""
        if os.getpid() != self._process:  # whose event loop and locks are still the first one's
            return
        self._stopped = True
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        for listener in self._listeners:
            listener.close()
        if self._authority is not None:
            self._authority.close()
        self.runtime.store.close()

    def __enter__(self) -> "EmulatorServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
