"""OpenAPI documents: read, bundled into one, and taken apart into operations."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from emulator.catalog.openapi import METHODS, followed, misshapen, misshapen_operation, of_another_version
from emulator.catalog.source import DocumentPath, LoadError, Problem, Tree, show_path
from emulator.mechanisms.paths import pointer, reference

JSON, FORM = "application/json", "multipart/form-data"
Find = Callable[[str], Tree | None]
"""A file of `specs/`, read, or None where there is none. Raises LoadError."""


@dataclass(slots=True)
class SpecOperation:
    """One operation as the OpenAPI document has it."""

    id: str
    method: str
    path: str
    statuses: tuple[int, ...]
    success: int
    secured: bool
    query: dict[str, Any] | None
    """Schema of the query parameters as one object."""
    schema: dict[str, Any] | None
    form: dict[str, Any] | None
    """The encoding of a body that is multipart/form-data; None: it is JSON."""
    body_required: bool
    example: Any
    """Of the reply."""
    path_examples: dict[str, str]
    body_examples: dict[str, Any]
    """By name; one without a name is ``."""
    media_type: str
    """Of the body."""
    responses: dict[str, Any]
    """As they are declared, by status."""
    streams: bool
    place: str


@dataclass(slots=True)
class Spec:
    document: dict[str, Any]
    place: Callable[[DocumentPath], str]
    """Steps into the document -> `file:line`."""
    operations: dict[str, SpecOperation] = field(default_factory=dict)

    @property
    def base_path(self) -> str:
        """The path of the first server."""
        return _path(self.document.get("servers"))


def load_spec(name: str, place: str, find: Find) -> Spec:
    """Read and bundle `name`, which is asked for at a place. Raises LoadError."""
    tree = find(name)
    if tree is None:
        raise LoadError([Problem(place, "spec", f"there is no specs/{name}")])
    problems = misshapen(tree)
    if problems:
        raise LoadError(problems)
    bundler = _Bundler(name, tree, find)
    document = bundler.bundle()
    spec = Spec(document, bundler.place_of)
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                problems += [
                    Problem(bundler.place(path, *steps), show_path(("paths", path, *steps)), message)
                    for steps, message in misshapen_operation(path, item, method, document)
                ]
                if problems:
                    continue
                place = bundler.place(path, method)
                operation = _operation(document, path, item, method, place, problems)
                if operation.id in spec.operations:
                    problems.append(Problem(place, operation.id, "operationId is used twice"))
                spec.operations[operation.id] = operation
    if not spec.operations and not problems:
        problems.append(Problem(tree.place(("paths",)), "paths", "has no operation"))
    if problems:
        raise LoadError(problems)
    return spec


def _path(servers: list[dict[str, str]] | None) -> str:
    return urlsplit(servers[0]["url"]).path.rstrip("/") if servers else ""


def _operation(
    document: dict[str, Any], path: str, item: dict[str, Any], method: str, place: str, problems: list[Problem]
) -> SpecOperation:
    raw = item[method]
    if "operationId" not in raw:
        problems.append(Problem(place, f"paths.{path}.{method}", "needs an operationId: behaviour hangs on it"))
    servers = raw.get("servers") or item.get("servers") or document.get("servers")
    responses = raw.get("responses") or {}
    statuses = tuple(int(s) for s in responses if str(s).isdigit())
    success = next((s for s in statuses if 200 <= s < 300), 200)
    security = raw.get("security", document.get("security", []))
    body = followed(document, raw.get("requestBody") or {})
    taken = body.get("content") or {}
    media_type = FORM if FORM in taken and JSON not in taken else JSON
    media = taken.get(media_type) or {}
    content = followed(document, responses.get(str(success)) or {}).get("content") or {}
    parameters = [followed(document, one) for one in [*(item.get("parameters") or []), *(raw.get("parameters") or [])]]
    return SpecOperation(
        id=str(raw.get("operationId", f"{method} {path}")),
        method=method.upper(),
        path=_path(servers) + path,
        statuses=statuses,
        success=success,
        secured=bool(security) and {} not in security,
        query=_query(parameters),
        schema=media.get("schema"),
        form=media.get("encoding", {}) if media_type == FORM else None,
        body_required=bool(body.get("required")),
        example=next(iter(_examples(document, content.get(JSON) or {}).values()), None),
        path_examples={p["name"]: str(p.get("example", "example")) for p in parameters if p["in"] == "path"},
        body_examples=_examples(document, media),
        media_type=media_type,
        responses=responses,
        streams="text/event-stream" in content,
        place=place,
    )


def _query(parameters: list[dict[str, Any]]) -> dict[str, Any] | None:
    declared = [p for p in parameters if p["in"] == "query"]
    if not declared:
        return None
    return {
        "type": "object",
        "properties": {p["name"]: p.get("schema") or {} for p in declared},
        "required": [p["name"] for p in declared if p.get("required")],
        "x-allow-empty": [p["name"] for p in declared if p.get("allowEmptyValue") is True],
    }


def _examples(document: dict[str, Any], media: dict[str, Any]) -> dict[str, Any]:
    """The examples of a media type by name; one without a name is ``, and the first."""
    unnamed = {"": media["example"]} if "example" in media else {}
    named = media.get("examples") or {}
    return {**unnamed, **{name: followed(document, one).get("value") for name, one in named.items()}}


class _Bundler:
    """Takes in what `file.yaml#/pointer` references reach, so that the document stands alone."""

    def __init__(self, name: str, tree: Tree, find: Find) -> None:
        self.name = name
        self.find = find
        self.trees = {name: tree}
        self.document: dict[str, Any] = {}
        self.origins: dict[str, tuple[str, DocumentPath]] = {}
        """The paths that stand elsewhere: in which file, and where."""
        self.taken: dict[DocumentPath, tuple[str, DocumentPath]] = {}
        """The components of other files: the same."""

    def bundle(self) -> dict[str, Any]:
        """The document. Raises LoadError for a reference that leads nowhere."""
        tree = self.trees[self.name]
        self.document = deepcopy(tree.data)
        self.document.setdefault("components", {})
        for path, item in list((self.document.get("paths") or {}).items()):
            at: DocumentPath = ("paths", path)
            if isinstance(item, dict) and "$ref" in item and not item["$ref"].startswith("#"):
                file, steps = self.origins[path] = self._split(item["$ref"], self.name, at)
                item = self._at(file, steps, self._place(self.name, at))
                self.document["paths"][path] = self._taken(item, file, steps)
                self._inherit_security(self.document["paths"][path], file)
            else:
                self.document["paths"][path] = self._taken(item, self.name, at)
        self.document["components"] = self._taken(self.document["components"], self.name, ("components",))
        return self.document

    def _inherit_security(self, item: Any, file: str) -> None:
        """A document that says nothing of security has, for a path it takes in, that of the path's own file."""
        theirs = self.trees[file].data
        if "security" in self.trees[self.name].data or "security" not in theirs or not isinstance(item, dict):
            return
        for method in METHODS:
            if isinstance(item.get(method), dict):
                item[method].setdefault("security", deepcopy(theirs["security"]))
        schemes = (theirs.get("components") or {}).get("securitySchemes") or {}
        self.document["components"].setdefault("securitySchemes", {}).update(deepcopy(schemes))

    def place(self, path: str, *inner: str | int) -> str:
        """Where a part of a path item stands, in whichever file it does."""
        file, steps = self.origins.get(path, (self.name, ("paths", path)))
        return self.trees[file].place((*steps, *inner))

    def place_of(self, path: DocumentPath) -> str:
        """Where a part of the document that is no path item stands."""
        file, steps = self.taken.get(path[:3], (self.name, path[:3]))
        return self.trees[file].place((*steps, *path[3:]))

    def _place(self, file: str, at: DocumentPath) -> str:
        """Where a reference stands."""
        return self.trees[file].place((*at, "$ref"))

    def _split(self, ref: str, file: str, at: DocumentPath) -> tuple[str, DocumentPath]:
        """The file that a reference at a place of another one leads to, read, and the steps there."""
        target = ref.partition("#")[0] or file
        if target not in self.trees:
            tree = self.find(target)
            if tree is None:
                raise LoadError(
                    [Problem(self._place(file, at), show_path((*at, "$ref")), f"there is no specs/{target}")]
                )
            if problems := of_another_version(tree):
                raise LoadError(problems)
            self.trees[target] = tree
        return target, pointer(ref)

    def _at(self, file: str, steps: DocumentPath, place: str) -> Any:
        node = self.trees[file].data
        for step in steps:
            if not isinstance(node, dict) or step not in node:
                raise LoadError([Problem(place, "$ref", f"{file} has nothing at {reference(steps)}")])
            node = node[step]
        return deepcopy(node)

    def _taken(self, node: Any, file: str, at: DocumentPath) -> Any:
        """A node at a place of `file` with its references turned into references inside the bundle."""
        if isinstance(node, list):
            return [self._taken(item, file, (*at, i)) for i, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            return {**node, "$ref": self._component(node["$ref"], file, at)}
        return {key: self._taken(value, file, (*at, key)) for key, value in node.items()}

    def _component(self, ref: str, file: str, at: DocumentPath) -> str:
        """Take the component a reference names into the bundle; gives its address there."""
        target, steps = self._split(ref, file, at)
        if target == self.name:
            return reference(steps)
        place = self._place(file, at)
        if len(steps) != 3 or steps[0] != "components":
            message = f"{ref}: only #/components/<kind>/<name> can be taken from a file"
            raise LoadError([Problem(place, show_path((*at, "$ref")), message)])
        _, kind, name = (str(step) for step in steps)
        here = self.document["components"].setdefault(kind, {})
        raw = self._at(target, steps, place)
        if name in here and json.dumps(here[name], sort_keys=True) != json.dumps(raw, sort_keys=True):
            name = f"{target.rsplit('/', 1)[-1].split('.')[0]}.{name}"
        if name not in here:
            here[name] = {}  # a component may refer to itself
            self.taken["components", kind, name] = target, steps
            here[name] = self._taken(raw, target, steps)
        return reference(("components", kind, name))
