"""A schema registry of others: it counts its ids, and knows nothing of ours.

It speaks as much of the REST interface of Confluent's as its clients use.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

FIRST_ID = 1_001


class Outside:
    """What the registry knows, and how it is."""

    def __init__(self) -> None:
        self.url = ""
        self.schemas: list[tuple[str, Any]] = []
        """Subject and schema; the id of the first is `FIRST_ID`."""
        self.told: list[str | None] = []
        """How each caller said who it is."""
        self.is_away = False
        self.refusal: tuple[int, str] | None = None
        """Status and message with which it refuses to register anything."""

    def id_of(self, subject: str, schema: Any) -> int | None:
        """Return the id of a schema under a subject."""
        known = (subject, schema)
        return FIRST_ID + self.schemas.index(known) if known in self.schemas else None

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and content."""
        match method, *(unquote(word) for word in path.strip("/").split("/")):
            case "GET", "schemas", "ids", id:
                place = int(id) - FIRST_ID
                if 0 <= place < len(self.schemas):
                    return 200, {"schema": json.dumps(self.schemas[place][1])}
                return 404, {"error_code": 40403, "message": "Schema not found"}
            case "POST", "subjects", subject, *rest:
                schema = json.loads(body["schema"])
                if rest == ["versions"] and self.refusal:
                    return self.refusal[0], {"error_code": 1, "message": self.refusal[1]}
                if rest == ["versions"] and self.id_of(subject, schema) is None:
                    self.schemas.append((subject, schema))
                if number := self.id_of(subject, schema):
                    return 200, {"subject": subject, "id": number, "schema": body["schema"]}
                return 404, {"error_code": 40401, "message": "Subject not found"}
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}


@contextmanager
def outside() -> Iterator[Outside]:
    """Run a registry; end it."""
    made = Outside()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"null")
            made.told.append(self.headers.get("Authorization"))
            if made.is_away:
                self.close_connection = True
                return
            status, content = made.answer(self.command, urlsplit(self.path).path, body)
            told = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = _handle  # noqa: N815 - so they are called

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="registry")
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
