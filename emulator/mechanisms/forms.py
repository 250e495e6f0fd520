"""multipart/form-data: bytes -> named parts, and what a form's schema says of texts and files.

A part with a filename is a file, `{filename, extension, content_type, size}`; any other part is text. What files
hold is not kept.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from emulator.mechanisms.records import record
from emulator.mechanisms.violations import RequestSchema, Violation

Part = str | dict[str, Any]
Form = dict[str, Any]
_MOST_PARTS = 1000
_MOST_HEAD = 8192
_BOUNDARY = re.compile(rb"[ -~]{1,70}")
_PARAMETER = re.compile(r';[ \t]*([^\s=;]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;]*))')
_INDEX = re.compile(r"\[\d*\]$")
_UNTOLD = "application/octet-stream"


class MalformedForm(ValueError):
    """A body that is not the multipart/form-data it is said to be. The text says why."""


def parts(body: bytes, content_type: str, media_types: Mapping[str, str]) -> list[tuple[str, Part]]:
    """The parts of a form and their names, in order.

    `media_types` says by its extension what a file is whose part does not. Raises MalformedForm.
    """
    boundary = _parameters(content_type).get("boundary", "").encode("latin-1", "replace")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedForm("no boundary")
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 1)
    found: list[tuple[str, Part] | None] = []
    for piece in pieces:
        if piece.startswith(b"--"):
            return [part for part in found if part is not None]
        if len(found) == _MOST_PARTS:
            raise MalformedForm(f"more than {_MOST_PARTS} parts")
        found.append(_part(piece, media_types))
    raise MalformedForm("the last boundary is missing")


def _part(piece: bytes, media_types: Mapping[str, str]) -> tuple[str, Part] | None:
    """A name and a text or file; None for the part of a file field in which no file was chosen."""
    end = piece.find(b"\r\n\r\n", 0, _MOST_HEAD)
    padding, *lines = piece[:end].decode("utf-8", "replace").split("\r\n") if end >= 0 else ["no headers"]
    if padding.strip(" \t"):
        raise MalformedForm("a part without headers")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    disposition = headers.get("content-disposition", "")
    told = _parameters(disposition)
    if not disposition.lower().startswith("form-data") or "name" not in told:
        raise MalformedForm("a part without a name")
    if "filename" not in told:
        return told["name"], piece[end + 4 :].decode("utf-8", "replace")
    filename = re.split(r"[/\\]", told["filename"])[-1]
    size = len(piece) - end - 4
    return (told["name"], _file(filename, headers.get("content-type", ""), size, media_types)) if filename else None


def _file(filename: str, declared: str, size: int, media_types: Mapping[str, str]) -> dict[str, Any]:
    extension = filename.rpartition(".")[2].lower() if "." in filename else ""
    media_type = declared.split(";")[0].strip().lower()
    if media_type in ("", _UNTOLD):
        media_type = media_types.get(extension, _UNTOLD)
    return {"filename": filename, "extension": extension, "content_type": media_type, "size": size}


def _parameters(header: str) -> dict[str, str]:
    """What follows a header's value: `; name="value"`."""
    return {
        name.lower(): plain.strip() if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted)
        for name, quoted, plain in (match.groups() for match in _PARAMETER.finditer(header[:_MOST_HEAD]))
    }


@record
class FormSchema:
    """A request schema of a form. Its strings of `format: binary` are files, which have no text to look at."""

    fields: RequestSchema
    """With names as they are read: `photos` for `photos[]`."""
    repeated: frozenset[str]
    """Lists whose parts all have the same name, without `[]`."""
    accepted: Mapping[str, tuple[str, ...]]
    """Field -> media types of its files, `image/*` among them; others take any."""

    @classmethod
    def compile(
        cls, schema: dict[str, Any], encoding: Mapping[str, Any], document: dict[str, Any], *, required: bool
    ) -> "FormSchema":
        """From an OpenAPI schema and encoding. Raises jsonschema_rs.ValidationError for a schema that is none."""
        properties = {_INDEX.sub("", name): below for name, below in schema.get("properties", {}).items()}
        needed = [_INDEX.sub("", name) for name in schema.get("required", [])]
        whole = {**schema, "properties": properties, "required": needed}
        accepted = {
            _INDEX.sub("", name): tuple(part.strip() for part in told["contentType"].split(","))
            for name, told in encoding.items()
            if "contentType" in told
        }
        fields = RequestSchema.compile(whole, document, required=required)
        repeated = {name for name in schema.get("properties", {}) if fields.declared(name).get("type") == "array"}
        return cls(fields, frozenset(repeated), accepted)

    @property
    def schema(self) -> dict[str, Any]:
        return self.fields.schema

    @property
    def required(self) -> bool:
        return self.fields.required

    def read(self, found: list[tuple[str, Part]]) -> Form:
        """The fields of a form: `name[]`, and what the schema has repeated, are lists; else the last part counts."""
        form: Form = {}
        for name, part in found:
            field = _INDEX.sub("", name)
            if field == name and field not in self.repeated:
                form[field] = part
            elif isinstance(listed := form.get(field), list):
                listed.append(part)
            else:
                form[field] = [part]
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        return {**form, **self.fields.typed(texts)}

    def violations(self, form: Form) -> list[Violation]:
        """Every violation of the schema, then files and texts in each other's place and files of another type."""
        seen = {n: [_seen(part) for part in v] if isinstance(v, list) else _seen(v) for n, v in form.items()}
        return [*self.fields.violations(seen), *self._of_files(form)]

    def sample(self) -> list[Violation]:
        return self.fields.sample()

    def _of_files(self, form: Form) -> Iterator[Violation]:
        for name in self.schema["properties"]:
            declared, value = self.fields.declared(name), form.get(name)
            if isinstance(value, list):
                items = self.fields.resolved(declared.get("items"))
                for i, part in enumerate(value):
                    yield from self._of_part([name, i], items, part)
            elif value is not None and declared.get("type") != "array":
                yield from self._of_part([name], declared, value)

    def _of_part(self, path: list[Any], declared: Mapping[str, Any], part: Any) -> Iterator[Violation]:
        if isinstance(part, dict) != (declared.get("format") == "binary"):
            expected = "file" if declared.get("format") == "binary" else "string"
            yield self.fields.violation("type", path, part, expected=expected)
        elif isinstance(part, dict):
            accepted = self.accepted.get(path[0], ("*",))
            if not any(fnmatchcase(part["content_type"], pattern) for pattern in accepted):
                found = {"options": list(accepted), "filename": part["filename"]}
                yield self.fields.violation("contentType", path, part, **found)


def _seen(part: Any) -> Any:
    """A part as its schema sees it."""
    return "" if isinstance(part, dict) else part
