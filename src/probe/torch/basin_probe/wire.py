"""
The evaluator wire's listening end: a unix socket in a private folder, a token, JSON-RPC 2.0 with Content-Length
framing. Threads only move bytes; requests wait in a queue for the training thread, which answers between two steps.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import queue
import socket
import threading
import time
from typing import Any, Callable, Optional

from .errors import BasinError, to_error_data
from .options import ProbeOptions
from .run_writer import replace_file

EVALUATOR_PROTOCOL = 2
BASIN_ERROR = -32050
_METHOD_NOT_FOUND = -32601
_PARSE_ERROR = -32700
#: A frame that claims more is no request of ours.
_LARGEST_FRAME = 64 * 2**20

METHODS = (
    "hello", "status", "load", "combine", "dots", "gram", "random", "normalise", "restrict", "elementwise", "orthogonalise",
    "loss", "score", "samples", "predictions", "draw", "gradient", "hvp",
    "refreshStatistics", "verify", "save", "exportModel", "release", "resume",
    "pause", "proceed", "detach", "snapshot", "statistics", "checkpoint", "rewind", "assign", "forget", "branch",
)  # fmt: skip


def encode(message: Any) -> bytes:
    """JSON in which a number that is not finite is {"$number": …} (src/protocol/wireJson.ts)."""
    return json.dumps(_finite(message), separators=(",", ":")).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")}
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def decode(data: bytes) -> Any:
    def number(value: dict[str, Any]) -> Any:
        return float(value["$number"]) if "$number" in value else value

    return json.loads(data, object_hook=number)


class Request:
    """A request that waits for the training thread."""

    __slots__ = ("connection", "id", "method", "params", "cancelled", "_interrupted")

    def __init__(self, connection: "Connection", id_: Any, method: str, params: Any) -> None:
        self.connection = connection
        self.id = id_
        self.method = method
        self.params = params
        self.cancelled = False
        self._interrupted = False

    def interrupt(self, meant: bool) -> None:
        """
        A signal has come whose handler waits for this answer.

        :param meant: whether it is one that someone interrupts by
        """
        if meant:
            self.cancelled = self._interrupted = True

    def stopped(self) -> bool:
        return self.cancelled or self.connection.closed

    def answer(self, result: Any) -> None:
        self.connection.send({"jsonrpc": "2.0", "id": self.id, "result": result})

    def fail(self, error: BaseException) -> None:
        data = to_error_data(error)
        if self._interrupted and data["code"] == "cancelled":
            data = to_error_data(BasinError("busy", "A signal to the script has interrupted the answer.", "Ask again."))
        self.connection.send(
            {"jsonrpc": "2.0", "id": self.id, "error": {"code": BASIN_ERROR, "message": data["message"], "data": data}}
        )


class Connection:
    """One client."""

    def __init__(self, server: "WireServer", peer: socket.socket) -> None:
        self.server = server
        self.peer = peer
        self.closed = False
        self.welcome = False
        self._sending = threading.Lock()
        self._open: dict[Any, Request] = {}

    def notify(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: Any) -> None:
        self._open.pop(message.get("id"), None)
        body = encode(message)
        try:
            with self._sending:
                self.peer.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        except OSError:
            self.closed = True

    def serve(self) -> None:
        """Reads until the client goes."""
        try:
            with self.peer.makefile("rb") as stream:
                while True:
                    body = _read_frame(stream)
                    if body is None:
                        break
                    try:
                        message = decode(body)
                    except ValueError:
                        self.send({"jsonrpc": "2.0", "id": None, "error": {"code": _PARSE_ERROR, "message": "Not JSON."}})
                        continue
                    if isinstance(message, dict):
                        self._take(message)
        except (OSError, ValueError):
            pass
        finally:
            self.closed = True
            self.server.left(self)
            self.peer.close()

    def _take(self, message: dict[str, Any]) -> None:
        method, id_ = message.get("method"), message.get("id")
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if method == "$/cancelRequest":
            request = self._open.get(params.get("id"))
            if request is not None:
                request.cancelled = True
            return
        if id_ is None or not isinstance(method, str):
            return  # a notification, or an answer to nothing
        if method not in METHODS:
            self.send(
                {"jsonrpc": "2.0", "id": id_, "error": {"code": _METHOD_NOT_FOUND, "message": f"No method {method}."}}
            )
            return
        request = Request(self, id_, method, params)
        try:
            if method == "hello":
                self._check(params)
            elif not self.welcome:
                raise BasinError("not-allowed", "Say hello first.")
        except BasinError as error:
            request.fail(error)
            return
        self._open[id_] = request
        self.server.requests.put(request)
        self.server.pending = True

    def _check(self, params: dict[str, Any]) -> None:
        if not hmac.compare_digest(str(params.get("token", "")).encode(), self.server.options.token.encode()):
            raise BasinError("not-allowed", "The token is not that of this process.")
        if params.get("protocol") != EVALUATOR_PROTOCOL:
            raise BasinError(
                "not-allowed",
                f"This process speaks version {EVALUATOR_PROTOCOL} of the evaluator protocol,"
                f" not {params.get('protocol')}.",
                "Train again with the Basin that you have now.",
            )

    def greeted(self) -> None:
        if not self.welcome:
            self.welcome = True
            self.server.clients += 1


def _read_frame(stream: Any) -> Optional[bytes]:
    """One frame's body; None at the end of the stream."""
    length = -1
    while True:
        line = stream.readline(8192)
        if not line:
            return None
        line = line.strip()
        if not line:
            break
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    if not 0 <= length <= _LARGEST_FRAME:
        raise ValueError("no valid frame")
    body = stream.read(length)
    return body if len(body) == length else None


class WireServer:
    """Listens; :attr:`pending` is all that the training thread looks at between steps."""

    def __init__(self, options: ProbeOptions, role: str, on_left: Callable[[], None]) -> None:
        self.options = options
        self.role = role
        self.on_left = on_left
        # A signal's handler may put something there in the midst of a get.
        self.requests: "queue.SimpleQueue[Optional[Request]]" = queue.SimpleQueue()
        self.pending = False
        self.clients = 0
        self.last_client = time.monotonic()
        self.closed_connections: list[Connection] = []
        self._connections: list[Connection] = []
        self._endpoint_file = options.endpoint_file
        self._path = os.path.join(options.socket_directory, f"{os.getpid()}.sock")
        self._socket: Optional[socket.socket] = None

    def listen(self) -> None:
        """:raises OSError: when the socket cannot be made"""
        os.makedirs(self.options.socket_directory, mode=0o700, exist_ok=True)
        if os.path.exists(self._path):
            os.unlink(self._path)
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system has no unix sockets in Python")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self._path)
        self._socket.listen(8)
        threading.Thread(target=self._accept, name="basin-wire", daemon=True).start()
        self._write_endpoint()

    def move(self, endpoint_file: str) -> None:
        """The endpoint is another run's from here on."""
        try:
            os.unlink(self._endpoint_file)
        except OSError:
            pass
        self._endpoint_file = endpoint_file
        self._write_endpoint()

    def _write_endpoint(self) -> None:
        endpoint = {"socket": self._path, "token": self.options.token, "pid": os.getpid(), "role": self.role}
        replace_file(self._endpoint_file, json.dumps(endpoint), 0o600)

    def _accept(self) -> None:
        assert self._socket is not None
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            connection = Connection(self, peer)
            self._connections.append(connection)
            threading.Thread(target=connection.serve, name="basin-client", daemon=True).start()

    def left(self, connection: Connection) -> None:
        """A client has gone: its vectors are to be freed, and a frozen process may end."""
        if connection in self._connections:
            self._connections.remove(connection)
        self.closed_connections.append(connection)
        self.last_client = time.monotonic()
        if connection.welcome:
            self.clients -= 1
        self.pending = True
        self.requests.put(None)  # wakes whoever waits for a request
        if connection.welcome and self.clients == 0:
            self.on_left()

    def close(self) -> None:
        """Takes the endpoint down; whoever still waits is told that the process has ended."""
        if self._socket is None:
            return
        ended = BasinError("process-ended", "The training process has ended.", "Ask again: Basin starts the script again.")
        while True:
            try:
                request = self.requests.get_nowait()
            except queue.Empty:
                break
            if request is not None:
                request.fail(ended)
        for path in (self._endpoint_file, self._path):
            try:
                os.unlink(path)
            except OSError:
                pass
        try:
            os.rmdir(self.options.socket_directory)  # whoever made it for this process may be gone
        except OSError:
            pass  # not empty
        self._socket.close()
        for connection in list(self._connections):
            try:
                connection.peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
