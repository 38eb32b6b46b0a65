"""Every question of the evaluator wire, asked in random order between random steps of a script that trains."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from typing import Any, Iterator

from harness import Client, how

INCLUDE = {"bias": False, "norm": False}
ALL = {"bias": True, "norm": True}
#: What a probe may say instead of an answer: of this loss, or this optimizer, there is no such thing; the data of a
#: training that goes on are not drawn from beside it.
REFUSALS = ("unsupported", "busy")
#: Measured so often by the launcher that recorded the run, beside the questions that are put here.
LIVE_ESTIMATES = 1


class Asker:
    """
    A thread's work. Training is broken off (the file ``done`` is made) when all has been asked; with "" for ``done``
    it goes to its own end, and what there is time for is asked.
    """

    def __init__(self, options: dict[str, Any], seed: int, done: str) -> None:
        self.options = options
        self.random = random.Random(seed)
        self.done = done
        self.answered: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.problems: list[str] = []
        self.live = 0
        #: Whether training may go on: questions wait for the next step, or there are none any more.
        self.ready = threading.Event()

    def told(self) -> dict[str, Any]:
        return {
            "answered": dict(self.answered),
            "refused": dict(self.refused),
            "problems": self.problems,
            "live": self.live,
        }

    def run(self) -> None:
        try:
            while not os.path.exists(self.options["endpointFile"]):
                time.sleep(0.002)
            with open(self.options["endpointFile"]) as text:
                endpoint = json.load(text)
            self._ask(endpoint)
        except Exception as error:
            over = not self.done and isinstance(error, (EOFError, OSError))
            if not over:
                self.problems.append(repr(error))
        finally:
            self.ready.set()
            if self.done:
                open(self.done, "w").close()

    def _ask(self, endpoint: dict[str, Any]) -> None:
        client = self._connect(endpoint)
        end = time.monotonic() + float(os.environ.get("LIVE", 0))
        first = True
        while first or not self.done:
            first = False
            self._prepare(client)
            for burst in self._bursts(list(self._questions(client.description))):
                self._put(client, burst)
            self._cancel(client)
            self._die(endpoint)
        while self._wants_live() and time.monotonic() < end:
            self._put(client, [("status", {}), ("load", {"into": "b", "from": "current"})])
            time.sleep(0.05)
        client.close()

    def _connect(self, endpoint: dict[str, Any]) -> Client:
        """A client once there are data: the evaluation set grows with the first batches."""
        while True:
            client = Client(endpoint)
            self.answered["hello"] += 1
            if client.description["train"] is not None:
                return client
            client.close()

    def _wants_live(self) -> bool:
        """Whether a launcher measures λ₁, for which so many seconds are given (LIVE), and has not done so yet."""
        if not os.environ.get("LIVE"):
            return False
        with contextlib.suppress(OSError):
            with open(os.path.join(self.options["runDirectory"], "live.jsonl")) as lines:
                self.live = len(lines.readlines())
        return self.live < LIVE_ESTIMATES

    def _prepare(self, client: Client) -> None:
        questions = [
            ("load", {"into": "a", "from": "current"}),
            ("random", {"into": "d", "seed": 3, "like": "a", "normalisation": "filter", "include": INCLUDE}),
            ("random", {"into": "e", "seed": 4, "like": "a", "normalisation": "none", "include": ALL}),
            ("normalise", {"vector": "e", "like": "a", "normalisation": "layer", "include": ALL}),
            ("save", {"vector": "a", "file": self._file("a.safetensors"), "metadata": {"by": "test"}}),
        ]
        self._put(client, questions)

    def _file(self, name: str) -> str:
        return os.path.join(self.options["runDirectory"], "asked", name)

    def _questions(self, description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        file = {"file": self._file("a.safetensors")}
        names = [p["name"] for p in description["objective"]["parameters"]]
        trained = how(samples=256)
        yield "status", {}
        yield "load", {"into": "f", "from": file}
        yield "load", {"into": "b", "from": "current"}
        yield "load", {"into": "m", "from": "second-moment"}
        terms = [{"coefficient": 0.5, "vector": v} for v in ("a", file)]
        yield "combine", {"into": "mean", "terms": terms, "state": "combine"}
        yield "dots", {"pairs": [["a", "d"], ["d", "d"]]}
        yield "gram", {"vectors": ["a", file], "origin": "d"}
        yield "random", {"into": "r", "seed": 5, "like": "a", "normalisation": "layer", "include": ALL}
        yield "restrict", {"vector": "a", "into": "r1", "parameters": names[:1]}
        yield "elementwise", {"into": "r2", "function": "product", "of": ["a", "d"]}
        yield "orthogonalise", {"vector": "e", "against": []}
        points = [[0.0], [0.3], [-0.3], [1.0]]
        for mode in description["modes"]:
            refresh = description["hasStatistics"] and mode == "inference"
            for split in ("train", "validation"):
                if description[split] is not None:
                    kind = how(mode, split, refresh=refresh)
                    yield "loss", {"origin": "a", "directions": ["d"], "coefficients": points, "how": kind}
                    yield "score", {"members": ["a"], "how": kind}
                    yield "score", {"members": ["a", "a"], "how": kind}
            yield "samples", {"members": ["a"], "how": how(mode), "inputGradient": True}
            yield "predictions", {"vector": "a", "how": how(mode)}
            yield "gradient", {"at": "a", "into": "g", "how": how(mode)}
        for method in ("auto", "finite-difference"):
            yield "hvp", {"at": "a", "vector": "d", "into": "h", "how": trained, "method": method}
        yield "hvp", {"at": "a", "vector": "d", "into": "h", "how": trained, "method": "auto", "matrix": "gauss-newton"}
        yield "draw", {"into": "drawn", "seed": 1, "from": 0, "count": 2}
        yield "refreshStatistics", {"vector": "a", "data": {"split": "train"}}
        yield "verify", {"vector": "a", "batch": 0}
        for form in ("pt", "safetensors"):
            yield "exportModel", {"vector": "a", "directory": self._file(form), "format": form}
        yield "release", {"vectors": ["r1", "r2", "h"]}
        yield "resume", {}

    def _bursts(self, questions: list) -> Iterator[list]:
        """In random order, one to six between two steps, some steps with none."""
        self.random.shuffle(questions)
        while questions:
            count = self.random.randint(1, 6)
            yield questions[:count]
            questions = questions[count:]
            time.sleep(self.random.choice((0, 0, 0.003, 0.01)))

    def _put(self, client: Client, burst: list) -> None:
        for method, params in burst:
            client.send(method, params)
        self.ready.set()
        for method, params in burst:
            self._count(method, client.receive(), params)
        self.ready.clear()

    def _count(self, method: str, answer: dict[str, Any], params: Any) -> None:
        if "result" in answer:
            self.answered[method] += 1
        elif answer["error"].get("data", {}).get("code") in REFUSALS:
            self.refused[method] += 1
        else:
            self.problems.append(f"{method} {params}: {answer['error']}")

    def _cancel(self, client: Client) -> None:
        """A long question taken back: before it is begun, and in its midst."""
        for wait in (0.0, 0.02):
            points = [[0.001 * i] for i in range(2000)]
            number = client.send("loss", {"origin": "a", "directions": ["d"], "coefficients": points, "how": how()})
            time.sleep(wait)
            client.cancel(number)
            answer = client.receive()
            code = answer.get("error", {}).get("data", {}).get("code")
            if code == "cancelled":
                self.answered["$/cancelRequest"] += 1
            elif "result" not in answer:
                self.problems.append(f"cancelled: {answer['error']}")

    def _die(self, endpoint: dict[str, Any]) -> None:
        """Clients that go without a word while they are answered, one in the middle of a sentence."""
        for half in (False, True):
            client = Client(endpoint)
            client.send("load", {"into": "a", "from": "current"})
            client.send("random", {"into": "d", "seed": 1, "like": "a", "normalisation": "none", "include": ALL})
            points = [[0.001 * i] for i in range(500)]
            client.send("loss", {"origin": "a", "directions": ["d"], "coefficients": points, "how": how()})
            client.send("gradient", {"at": "a", "into": "g", "how": how()})
            if half:
                client.socket.sendall(b'Content-Length: 500\r\n\r\n{"jsonrpc"')
            time.sleep(0.01)
            # Without the farewell of a closed connection: as when the process was killed.
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            self.answered["a client that dies"] += 1
