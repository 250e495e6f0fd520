"""A server of a few lines that answers as no server should."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "the-key"
MODELS = b'{"object": "list", "data": []}'
_REFUSED = b'{"error": {"message": "Who is it?", "type": "invalid_request_error", "param": null, "code": null}}'


class Request(BaseHTTPRequestHandler):
    """A request for a path with a key is the server's to answer; others are refused as they should be."""

    server: "_Server"

    def _answer(self) -> None:
        if self.path != "/v1/models":
            self.reply(404, _REFUSED)
        elif self.command == "GET":
            known = self.headers["Authorization"] == f"Bearer {KEY}"
            self.reply(*((200, MODELS) if known else (401, _REFUSED)))
        else:
            self.server.odd(self)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """`do_GET` and the like, whatever the method."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._answer

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**usual, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""


class _Server(ThreadingHTTPServer):
    def __init__(self, odd: Callable[[Request], object]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.odd = odd

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is none of ours."""


@contextmanager
def served(odd: Callable[[Request], object]) -> Iterator[str]:
    """A server that answers with `odd` what no client of a list of models should ask for; gives its address."""
    with _Server(odd) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def die(request: Request) -> None:
    """Be gone in the middle of a request."""
    request.server.shutdown()
    request.server.socket.close()
    request.close_connection = True


def never_end(request: Request) -> None:
    """Begin an answer, and go on for as long as somebody listens."""
    request.send_response(405)
    request.end_headers()
    while True:
        request.wfile.write(b" " * 1000)
