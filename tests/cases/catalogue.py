"""What the packaged data declares, and a request that works for every operation of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator

from emulator import Handle, make_runtime
from emulator.mechanisms.forms import FormSchema
from emulator.operation import Operation
from emulator.provider import Provider

from . import multipart
from .raw import RawReply, send

PROVIDERS: dict[str, Provider] = {name: family.base for name, family in make_runtime(pace=0).providers.items()}
OPERATIONS = [(p.id, operation) for p in PROVIDERS.values() for operation in p.operations.values()]
DOCUMENTED = [(p, operation, status) for p, operation in OPERATIONS for status in operation.statuses if status >= 300]

QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]
BODIES: dict[str, dict[str, Any]] = {
    "barrack": {"model": "openai/gpt-oss-120b", "messages": QUESTION},
    "generalcompute": {"model": "gpt-oss-120b", "messages": QUESTION},
    "nugen": {"model": "nugen-legal", "messages": QUESTION},
    "peakprivacy": {"model": "gpt-4", "messages": QUESTION},
}


class Caller:
    """Calls one operation as a client would, with whatever a test wants to be different."""

    def __init__(self, handle: Handle, operation: Operation, provider: Provider, body: Mapping[str, Any]) -> None:
        self.handle = handle
        self.operation = operation
        self.provider = provider
        self.body = {**body} if operation.body is not None else None
        self.url = handle.origin + operation.example_path
        self.plain = False
        """Leave out what the provider asks of clients beside the credential."""

    def ask(self, *, body: Any = ..., key: str | None = "", place: int = 0, **headers: str) -> RawReply:
        """One request. `body` as JSON or a form, or bytes as they are; `key` None: no credential, else at `place`."""
        if body is ...:
            body = self.body
        form = self.operation.body if isinstance(self.operation.body, FormSchema) else None
        sent = {"Content-Type": multipart.TYPE if form else "application/json"} if body is not None else {}
        sent |= self._credential(self.handle.api_key if key == "" else key, place)
        sent |= {} if self.plain else dict(self.provider.client_headers)
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = multipart.of_example(body, form) if form else json.dumps(body).encode()
        return send(self.operation.method, self.url, {k: v for k, v in sent.items() if v}, body)

    def _credential(self, key: str | None, place: int) -> dict[str, str]:
        if key is None:
            return {}
        where = self.provider.places[place]
        return {where.name: f"Bearer {key}" if where.scheme == "bearer" else key}

    def render(self) -> dict[str, Any]:
        """The note in the journal that says which error entry made the last reply."""
        notes: list[dict[str, Any]] = self.handle.journal[-1].raw["trace"]
        return next(note for note in notes if note["stage"] == "render" and "entry" in note)


def caller(handle: Handle, operation: str | None = None) -> Caller:
    """A caller of a packaged provider's operation; of its first that makes completions when none is named."""
    provider = PROVIDERS[handle.id]
    found = provider.operations[operation] if operation else next(o for o in provider.operations.values() if o.reader)
    body = found.examples.body
    if found.reader is not None and found.act is None and "messages" in body:
        body = BODIES[handle.id]
    return Caller(handle, found, provider, body or {})


def complaints(provider: Provider, operation: Operation, reply: RawReply) -> Iterator[str]:
    """What the spec has to say against a reply of an operation."""
    declared = _declared(provider, operation, reply.status)
    media_type = (reply.header("content-type") or "").split(";")[0]
    if media_type not in declared["content"]:
        yield f"{media_type} is not a content type of {reply.status}"
        return
    schema = declared["content"][media_type].get("schema")
    if schema is not None:
        yield from _broken(provider, schema, reply.json)
    for name, header in declared.get("headers", {}).items():
        value = reply.header(name)
        if value is None:
            yield f"the header {name} is missing"
        else:
            yield from _broken(provider, header["schema"], value)


def _declared(provider: Provider, operation: Operation, status: int) -> Any:
    methods = [methods for methods in provider.document["paths"].values() if operation.method.lower() in methods]
    found = (m[operation.method.lower()] for m in methods)
    return next(o for o in found if o["operationId"] == operation.id)["responses"][str(status)]


def _broken(provider: Provider, schema: Any, value: Any) -> Iterator[str]:
    whole = {**schema, "components": provider.document["components"]}
    for error in Draft202012Validator(whole, validate_formats=True).iter_errors(value):
        yield f"{list(error.instance_path)}: {error.message}"
