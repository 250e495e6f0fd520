"""OpenAPI documents: read, bundled into one, and taken apart into operations."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from emulator.catalog.source import LoadError, Path_, Problem, Tree

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Find = Callable[[str], Tree]


@dataclass(slots=True)
class SpecOperation:
    """One operation as the OpenAPI document has it."""

    id: str
    method: str
    path: str
    statuses: tuple[int, ...]
    success: int
    secured: bool
    schema: dict[str, Any] | None
    body_required: bool
    example: Any
    streams: bool
    place: str


@dataclass(slots=True)
class Spec:
    document: dict[str, Any]
    operations: dict[str, SpecOperation] = field(default_factory=dict)


def load_spec(name: str, find: Find) -> Spec:
    """Read and bundle `name`. Raises LoadError."""
    tree = find(name)
    problems: list[Problem] = []
    bundler = _Bundler(name, tree, find)
    document = bundler.bundle()
    spec = Spec(document)
    for path, item in (document.get("paths") or {}).items():
        for method in METHODS:
            if isinstance(item, dict) and method in item:
                place = bundler.place(path, method)
                operation = _operation(document, path, item, method, place, problems)
                if operation.id in spec.operations:
                    problems.append(Problem(place, operation.id, "operationId is used twice"))
                spec.operations[operation.id] = operation
    if problems:
        raise LoadError(problems)
    return spec


def _operation(
    document: dict[str, Any], path: str, item: dict[str, Any], method: str, place: str, problems: list[Problem]
) -> SpecOperation:
    raw = item[method]
    if "operationId" not in raw:
        problems.append(Problem(place, f"paths.{path}.{method}", "needs an operationId: behaviour hangs on it"))
    servers = raw.get("servers") or item.get("servers") or document.get("servers") or [{"url": ""}]
    responses = raw.get("responses") or {}
    statuses = tuple(int(s) for s in responses if str(s).isdigit())
    success = next((s for s in statuses if 200 <= s < 300), 200)
    security = raw.get("security", document.get("security", []))
    body = _follow(document, raw.get("requestBody") or {})
    content = _follow(document, responses.get(str(success)) or {}).get("content") or {}
    return SpecOperation(
        id=str(raw.get("operationId", f"{method} {path}")),
        method=method.upper(),
        path=urlsplit(servers[0]["url"]).path.rstrip("/") + path,
        statuses=statuses,
        success=success,
        secured=bool(security) and {} not in security,
        schema=(body.get("content") or {}).get("application/json", {}).get("schema"),
        body_required=bool(body.get("required")),
        example=_example(document, content.get("application/json") or {}),
        streams="text/event-stream" in content,
        place=place,
    )


def _follow(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _example(document: dict[str, Any], media: dict[str, Any]) -> Any:
    if "example" in media:
        return media["example"]
    for example in (media.get("examples") or {}).values():
        return _follow(document, example).get("value")
    return None


class _Bundler:
    """Takes in what `file.yaml#/pointer` references reach, so that the document stands alone."""

    def __init__(self, name: str, tree: Tree, find: Find) -> None:
        self.name = name
        self.find = find
        self.trees = {name: tree}
        self.document: dict[str, Any] = {}
        self.origins: dict[str, tuple[str, Path_]] = {}

    def bundle(self) -> dict[str, Any]:
        tree = self.trees[self.name]
        self.document = deepcopy(tree.data)
        self.document.setdefault("components", {})
        for path, item in list((self.document.get("paths") or {}).items()):
            if isinstance(item, dict) and "$ref" in item and not item["$ref"].startswith("#"):
                file, pointer = self._split(item["$ref"], ("paths", path))
                self.origins[path] = file, pointer
                self.document["paths"][path] = self._taken(self._at(file, pointer, ("paths", path)), file)
            else:
                self.document["paths"][path] = self._taken(item, self.name)
        self.document["components"] = self._taken(self.document["components"], self.name)
        return self.document

    def place(self, path: str, method: str) -> str:
        file, pointer = self.origins.get(path, (self.name, ("paths", path)))
        return self.trees[file].place((*pointer, method))

    def _split(self, ref: str, where: Path_) -> tuple[str, Path_]:
        file, _, pointer = ref.partition("#")
        steps = tuple(s.replace("~1", "/").replace("~0", "~") for s in pointer.strip("/").split("/"))
        if file and file not in self.trees:
            try:
                self.trees[file] = self.find(file)
            except LoadError as error:
                place = self.trees[self.name].place(where)
                raise LoadError([Problem(place, "$ref", f"{ref}: {error}")]) from None
        return file, steps

    def _at(self, file: str, pointer: Path_, where: Path_) -> Any:
        node = self.trees[file].data
        for step in pointer:
            if not isinstance(node, dict) or step not in node:
                place = self.trees[self.name].place(where)
                shown = "/".join(map(str, pointer))
                raise LoadError([Problem(place, "$ref", f"{file} has nothing at #/{shown}")])
            node = node[step]
        return deepcopy(node)

    def _taken(self, node: Any, file: str) -> Any:
        """A node of `file` with its references turned into references inside the bundle."""
        if isinstance(node, list):
            return [self._taken(item, file) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            return {**node, "$ref": self._component(node["$ref"], file)}
        return {key: self._taken(value, file) for key, value in node.items()}

    def _component(self, ref: str, file: str) -> str:
        """Take the component a reference names into the bundle; gives its address there."""
        target, pointer = self._split(ref if not ref.startswith("#") else f"{file}{ref}", ())
        if target == self.name:
            return "#/" + "/".join(map(str, pointer))
        _, kind, name = (str(step) for step in pointer)
        here = self.document["components"].setdefault(kind, {})
        raw = self._at(target, pointer, ())
        if name in here and json.dumps(here[name], sort_keys=True) != json.dumps(raw, sort_keys=True):
            name = f"{target.rsplit('/', 1)[-1].split('.')[0]}.{name}"
        if name not in here:
            here[name] = {}  # a component may refer to itself
            here[name] = self._taken(raw, target)
        return f"#/components/{kind}/{name}"
