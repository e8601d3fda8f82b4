"""A bad line to a node: a proxy on the loopback address that does to each request what it is told.

`plan(n, request)` says what happens to the n-th one: `PASS`, an HTTP status, a JSON-RPC error as
(code, message), `CUT` before the node has heard of it, or `DEAF`: the node hears it, and its answer
is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import orjson

PASS, CUT, DEAF = "pass", "cut", "deaf"
Plan = Callable[[int, Any], Any]


@contextmanager
def proxy(node: str, plan: Plan) -> Iterator[str]:
    """Run the proxy in front of the node at this URL; give its own URL."""
    counting = threading.Lock()
    count = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            nonlocal count
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with counting:
                number, count = count, count + 1
            fate = plan(number, orjson.loads(body))
            if fate in (PASS, DEAF):
                asked = Request(node, body, {"Content-Type": "application/json"})
                answer = urlopen(asked).read()
            if fate in (CUT, DEAF):
                self.close_connection = True
                return
            if isinstance(fate, tuple):
                code, message = fate
                error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
                answer = orjson.dumps(error)
            elif isinstance(fate, bytes):
                answer = fate
            elif isinstance(fate, int):
                self._reply(fate, b"{}")
                return
            self._reply(200, answer)

        def _reply(self, status: int, answer: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
