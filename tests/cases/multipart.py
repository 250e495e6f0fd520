"""multipart/form-data as a client writes it: with fields and files as a test names them."""

from collections.abc import Iterable
from typing import Any

from emulator.mechanisms.forms import FormSchema

BOUNDARY = "a-line-between-parts"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(content: bytes | str, headers: str) -> bytes:
    """One part, its headers as they are."""
    return f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode() + (content if isinstance(content, bytes) else content.encode())


def file(content: bytes | str, filename: str, media_type: str | None = None, name: str = "files[]") -> bytes:
    told = f"\r\nContent-Type: {media_type}" if media_type is not None else ""
    return part(content, f'Content-Disposition: form-data; name="{name}"; filename="{filename}"{told}')


def text(content: str, name: str = "files[]") -> bytes:
    return part(content, f'Content-Disposition: form-data; name="{name}"')


def form(parts: Iterable[bytes]) -> bytes:
    """A whole body."""
    return b"".join(one + b"\r\n" for one in parts) + f"--{BOUNDARY}--\r\n".encode()


def of_example(fields: dict[str, Any], schema: FormSchema) -> bytes:
    """The body of an example in a spec: what its schema has as files are files of plain text."""
    return form(
        file(content, "hello.txt", "text/plain", name) if _of_files(name, schema) else text(str(content), name)
        for name, value in fields.items()
        for content in (value if isinstance(value, list) else [value])
    )


def _of_files(name: str, schema: FormSchema) -> bool:
    declared = schema.fields.declared(name.removesuffix("[]"))
    return "binary" in (declared.get("format"), schema.fields.resolved(declared.get("items")).get("format"))
