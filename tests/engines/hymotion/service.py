"""A rewriter to be asked: the chat completions of an OpenAI-compatible service, on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

LONG_WINDED: Final = "a prompt that the rewriter thinks about for ever"
FENCED: Final = "fenced"
THOUGHTFUL: Final = "thoughtful"
WRONG_ONCE: Final = "wrong once"
WRONG: Final = "always wrong"
BROKEN: Final = "broken"
ENDLESS: Final = "endless"


class Service:
    """Rewrites "x" to "A person: x" in 90 frames; some prompts it treats otherwise."""

    def __init__(self) -> None:
        self.authorised: set[str | None] = set()
        self.asked: list[str] = []
        self.over = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.authorised.add(self.headers["Authorization"])
                status, data = service.answer(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Clients that gave up are what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Service":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of an answer."""
        assert path == "/v1/chat/completions" and body["model"]
        prompt = body["messages"][0]["content"].strip().rpartition("\n")[2]
        self.asked.append(prompt)
        if prompt == LONG_WINDED:
            self.over.wait(30.0)
        if prompt == BROKEN:
            return 500, b"out of memory"
        text = json.dumps({"duration": 90, "short_caption": f"A person: {prompt}"})
        if prompt == FENCED:
            text = f"```json\n{text}\n```"
        if prompt == THOUGHTFUL:
            text = f"<think>{{not this}}</think>\n{text}"
        if prompt == WRONG or (prompt == WRONG_ONCE and self.asked.count(prompt) == 1):
            text = "I would rather talk about the weather."
        if prompt == ENDLESS:
            text = "x" * 100_000
        return 200, json.dumps({"choices": [{"message": {"content": text}}]}).encode()
