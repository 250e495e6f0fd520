"""The requests that schemathesis sends: answers end in time, errors know their request, the last request is known."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from emulator.contract.bounds import within

if TYPE_CHECKING:
    from requests import PreparedRequest
    from requests import Response as Answer
    from schemathesis import BaseSchema, Case, HookContext, Response

TIMEOUT = 60
"""Seconds that an answer may take."""
_MOST_AT_ONCE = 65536


@contextmanager
def bounded() -> Iterator[None]:
    """Let every answer end in time that is asked for meanwhile. The hook that can do it belongs to all schemas."""
    from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER as EVERYWHERE

    EVERYWHERE.register_hook_with_name(_before_call, "before_call")
    try:
        yield
    finally:
        EVERYWHERE.unregister(_before_call)


def _before_call(context: "HookContext", case: "Case[Any]", kwargs: dict[str, Any]) -> None:
    kwargs["hooks"] = {"response": _read}


class Calls:
    """Follows the requests of a schema."""

    def __init__(self, schema: "BaseSchema") -> None:
        self._answered: tuple[str, PreparedRequest] | None = None
        self._unanswered: tuple[str, PreparedRequest] | None = None
        """The first that came to nothing since one was answered."""
        schema.hooks.register_hook_with_name(self._after_call, "after_call")
        schema.hooks.register_hook_with_name(self._after_network_error, "after_network_error")

    @property
    def last(self) -> "tuple[str, PreparedRequest] | None":
        """The operation and the request that a server met last: it broke that one off, or all behind it."""
        return self._unanswered or self._answered

    def _after_call(self, context: "HookContext", case: "Case[Any]", response: "Response") -> None:
        self._answered, self._unanswered = (case.operation.label, response.request), None

    def _after_network_error(self, context: "HookContext", case: "Case[Any]", request: "PreparedRequest") -> None:
        from requests import ConnectionError as NoConnection
        from schemathesis.engine.errors import is_connection_refused

        error = sys.exc_info()[1]
        if self._unanswered is None and not (isinstance(error, NoConnection) and is_connection_refused(error)):
            self._unanswered = (case.operation.label, request)


def _read(answer: "Answer", *, timeout: float = TIMEOUT, **sent: object) -> None:
    """Read an answer's body as `requests` would, but within the time that it allows between two bytes.

    Streams are left: schemathesis bounds them. Raises what `requests` does, always with the request.
    """
    from requests import ConnectionError as NoConnection
    from requests import RequestException, Timeout
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError
    from schemathesis.core.transport import is_event_stream
    from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError

    if is_event_stream(answer.headers.get("content-type")):
        return
    errors: dict[type[Exception], type[RequestException]] = {
        ProtocolError: ChunkedEncodingError,
        DecodeError: ContentDecodingError,
        ReadTimeoutError: NoConnection,
        TimeoutError: Timeout,
    }
    try:
        answer._content = b"".join(within(timeout, _chunks(answer)))
    except tuple(errors) as error:
        answer.close()
        kind = next(kind for cause, kind in errors.items() if isinstance(error, cause))
        raise kind(error, request=answer.request, response=answer) from error
    answer._content_consumed = True  # type: ignore[attr-defined]


def _chunks(answer: "Answer") -> Iterator[bytes]:
    while chunk := answer.raw.read1(_MOST_AT_ONCE, decode_content=True):
        yield chunk
