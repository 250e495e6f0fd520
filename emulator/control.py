"""The control API under `/_emulator/` (and `/~<tenant>/_emulator/`): commands over HTTP, JSON in and out."""

import json
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator import commands
from emulator.commands import CommandError
from emulator.exchange import Runtime
from emulator.mechanisms.clock import iso8601
from emulator.mechanisms.encoding import MalformedJSON, loads
from emulator.mechanisms.tenants import DEFAULT_TENANT

PREFIX = "/_emulator"
_KINDS = (
    "accounts", "clock", "in_flight", "journal", "journal_count", "latency", "occurrences", "outbox", "plays",
    "variants", "windows",
)  # fmt: skip
"""Of the state that `reset` may be limited to."""
Command = Callable[[Runtime, str, dict[str, Any]], Any]


def package_version() -> str:
    try:
        return version("emulator")
    except PackageNotFoundError:
        return "0"


def health(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    return {
        "status": "ok",
        "version": package_version(),
        "providers": list(runtime.providers),
        "strict_auth": runtime.strict_auth,
    }


def providers(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    found = [family.base for family in runtime.providers.values()]
    return [
        {
            "id": p.id,
            "title": p.title,
            "origin": p.origin,
            "base_path": f"/{p.id}{p.base_path}",
            "api_key": p.api_key,
            "headers": dict(p.client_headers),
            "models": [m["id"] for m in p.listed_models],
            "operations": [{"id": o.id, "method": o.method, "path": o.path} for o in p.operations.values()],
            "refusals": list(p.errors),
            "scenarios": list(p.scenarios),
            "variants": list(p.variants),
            "latency": list(p.latency.profiles),
        }
        for p in found
    ]


def read_journal(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    return commands.journal(runtime, tenant)


def clear_journal(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    commands.reset(runtime, tenant, kinds=["journal"])
    return {"entries": 0}


def read_outbox(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    return commands.sent(runtime, tenant)


def fail(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    step = {key: value for key, value in body.items() if key != "provider"}
    commands.fail(runtime, tenant, _provider(body), step)
    return {"queued": True}


def scenario(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "provider", "name", "steps")
    if "name" in body and "steps" in body:
        raise CommandError("say one of `name` and `steps`")
    wanted = body.get("name", body.get("steps"))
    if not isinstance(wanted, (str, list)):
        raise CommandError("say which: `name` (a scenario of the provider) or `steps` (a list of steps)")
    commands.play(runtime, tenant, _provider(body), wanted)
    return {"queued": True}


def read_scenarios(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    return {"unfinished": commands.unfinished(runtime, tenant)}


def variant(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "provider", "names")
    names = body.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CommandError("`names` is a list of variant names; an empty one goes back to the documented behaviour")
    commands.use(runtime, tenant, _provider(body), names)
    return {"variants": names}


def latency(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "provider", "profile")
    profile = body.get("profile")
    if "profile" not in body or not isinstance(profile, str | None):
        raise CommandError("`profile` is the name of a latency profile; null goes back to what the data say")
    commands.latency(runtime, tenant, _provider(body), profile)
    return {"profile": profile}


def read_clock(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    with commands.clock(runtime, tenant) as clock:
        return {"now": clock.now(), "iso": iso8601(clock.now()), "frozen": clock.frozen, "speed": runtime.time.speed}


def set_clock(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "freeze", "advance", "resume")
    if len(body) != 1:
        raise CommandError("say one of `freeze` (true, or Unix seconds), `advance` (60s, 2h) and `resume` (true)")
    with commands.clock(runtime, tenant) as clock:
        if "freeze" in body:
            at = body["freeze"]
            if isinstance(at, str) or at is None or at is False:
                raise CommandError("`freeze` is true, or Unix seconds")
            clock.freeze(None if at is True else at)
        elif "advance" in body:
            if not isinstance(body["advance"], (str, int, float)) or isinstance(body["advance"], bool):
                raise CommandError("`advance` is a duration: 350ms, 60s, 2h, or seconds")
            clock.advance(body["advance"])
        elif body["resume"] is not True:
            raise CommandError("`resume` is true")
        else:
            clock.resume()
    return read_clock(runtime, tenant, {})


def read_connections(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    found = [entrance for entrance in commands.entrances(runtime) if entrance.port]  # others are no port of ours
    return {"ports": [{"port": e.port, "provider": e.provider, "tls": e.tls, "fault": e.fault} for e in found]}


def set_connections(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "fault", "provider", "times", "for")
    if body.get("times") is None and body.get("for") is None:
        raise CommandError("say `times` or `for`: where no connection comes in, nobody could ask for it to end")
    if not read_connections(runtime, tenant, {})["ports"]:
        raise CommandError("the ports of this server are not the emulator's: use `emulator serve` or `EmulatorServer`")
    provider = None if body.get("provider") is None else _provider(body)
    commands.connections(
        runtime, body.get("fault"), provider_id=provider, times=body.get("times"), lasts=body.get("for")
    )
    return read_connections(runtime, tenant, {})


def lift_connections(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    commands.lift_connections(runtime)
    return read_connections(runtime, tenant, {})


def top_up(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "provider", "amount", "key")
    return commands.top_up(runtime, tenant, _provider(body), body.get("amount"), _key(body))


def load(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "provider", "resources", "key")
    return {"loaded": commands.load(runtime, tenant, _provider(body), body.get("resources"), _key(body))}


def _key(body: dict[str, Any]) -> str | None:
    key = body.get("key")
    if key is not None and not isinstance(key, str):
        raise CommandError("`key` is a key whose account is meant; without it the provider's own")
    return key


def reset(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    _known(body, "provider", "kinds")
    kinds = body.get("kinds")
    if kinds is not None and (not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds)):
        raise CommandError("`kinds` is a list such as [windows, accounts]; without it everything is reset")
    for kind in kinds or ():
        if kind not in _KINDS:
            raise CommandError(f"`{kind}` is no kind; there are {', '.join(_KINDS)}")
    commands.reset(runtime, tenant, None if body.get("provider") is None else _provider(body), kinds)
    return {"reset": True}


def openapi(runtime: Runtime, tenant: str, body: dict[str, Any]) -> Any:
    return _document()


@lru_cache(maxsize=1)
def _document() -> Any:
    return json.loads(Path(__file__).with_name("control.openapi.json").read_text(encoding="utf-8"))


def _provider(body: dict[str, Any]) -> str:
    named = body.get("provider")
    if named is None:
        raise CommandError("`provider` is missing: a provider's id")
    if not isinstance(named, str):
        raise CommandError("`provider` is one provider's id")
    return named


def _known(body: dict[str, Any], *keys: str) -> None:
    for key in body:
        if key not in keys:
            raise CommandError(f"`{key}` is not known; there are {', '.join(keys)}")


def _json(status: int, content: Any) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


class _Api:
    """The API as an ASGI application: each path has its commands by method, everything else is 404 or 405."""

    def __init__(self, runtime: Runtime, rest: ASGIApp) -> None:
        """`rest` has what is no request."""
        self.runtime = runtime
        self.rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(Request(scope, receive)) if scope["type"] == "http" else self.rest
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        found = _COMMANDS.get(path.removeprefix(PREFIX))
        if found is None:
            known = ", ".join(PREFIX + path for path in _COMMANDS)
            return _json(404, {"error": f"{path} is not part of the control API; there are {known}"})
        method = "GET" if request.method == "HEAD" else request.method  # whose body no server sends
        if method not in found:
            response = _json(405, {"error": f"{request.method} is not allowed here; it takes {', '.join(found)}"})
            response.headers["allow"] = ", ".join(found)
            return response
        try:
            raw = await request.body()
            body = loads(raw) if raw.strip() else {}
            if not isinstance(body, dict):
                raise CommandError("the body is a JSON object")
            tenant = request.scope.get("tenant") or DEFAULT_TENANT
            return _json(200, found[method](self.runtime, tenant, body))
        except MalformedJSON as error:
            return _json(400, {"error": f"the body is not JSON: {error}"})
        except CommandError as error:
            return _json(400, {"error": str(error)})


_COMMANDS: dict[str, dict[str, Command]] = {
    "/health": {"GET": health},
    "/openapi.json": {"GET": openapi},
    "/providers": {"GET": providers},
    "/journal": {"GET": read_journal, "DELETE": clear_journal},
    "/outbox": {"GET": read_outbox},
    "/fail": {"POST": fail},
    "/scenario": {"GET": read_scenarios, "POST": scenario},
    "/variant": {"POST": variant},
    "/latency": {"POST": latency},
    "/connections": {"GET": read_connections, "POST": set_connections, "DELETE": lift_connections},
    "/credit": {"POST": top_up},
    "/resources": {"POST": load},
    "/clock": {"GET": read_clock, "POST": set_clock},
    "/reset": {"POST": reset},
}


def control_app(runtime: Runtime) -> Starlette:
    """The control API as an ASGI application. It has no routes: their patterns do not see the end of a line."""
    app = Starlette()
    app.router.default = _Api(runtime, app.router.default)
    return app
