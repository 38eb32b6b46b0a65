"""Running scripts under the probe as the launcher does, and asking the evaluator wire as an engine does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, Optional, Union

from warm import WarmInterpreter, WarmProcess

ROOT = Path(__file__).resolve().parents[2]
PROBE = ROOT / "src" / "probe" / "torch"
SCRIPTS = Path(__file__).resolve().parent / "scripts"

# A shell that puts the suite into the background has it ignore Ctrl+C, and every script would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Runs the scripts of this pytest process.
WARM = WarmInterpreter()

sys.path.insert(0, str(PROBE))


class WireError(Exception):
    """What the probe answered instead of a result."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error.get("data", {}).get("code")
        self.data = error.get("data", {})


def _decode(data: bytes) -> Any:
    return json.loads(data, object_hook=lambda d: float(d["$number"]) if "$number" in d else d)


class Client:
    """A client of the evaluator wire."""

    def __init__(self, endpoint: dict[str, Any], objective: int = 0, token: Optional[str] = None) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(120)
        self.socket.connect(endpoint["socket"])
        self.stream = self.socket.makefile("rb")
        self.next = 0
        self.description = self.call(
            "hello", token=token or endpoint["token"], protocol=2, objective=objective
        )

    def send(self, method: str, params: dict[str, Any]) -> int:
        self.next += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.next

    def cancel(self, number: int) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": number}}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def receive(self) -> dict[str, Any]:
        length = -1
        while True:
            line = self.stream.readline()
            if not line:
                raise EOFError("the probe has gone")
            if not line.strip():
                break
            length = int(line.split(b":")[1])
        return _decode(self.stream.read(length))

    def call(self, method: str, /, **params: Any) -> Any:
        number = self.send(method, params)
        answer = self.receive()
        assert answer["id"] == number
        if "error" in answer:
            raise WireError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


class Run:
    """A run directory and the process that writes it."""

    def __init__(self, directory: Path, sockets: Path) -> None:
        self.directory = directory
        self.sockets = sockets

    def manifest(self) -> dict[str, Any]:
        return json.loads((self.directory / "run.json").read_text())

    def steps(self) -> list[dict[str, Any]]:
        text = (self.directory / "steps.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def snapshot(self, step: int, objective: int = 0) -> Path:
        name = f"step-{step:08d}{'' if objective == 0 else f'.{objective}'}.safetensors"
        return self.directory / "snapshots" / name

    def snapshots(self, objective: int = 0) -> list[int]:
        import re

        pattern = re.compile(r"step-(\d+)(?:\.(\d+))?\.safetensors$")
        found = [pattern.match(p.name) for p in (self.directory / "snapshots").iterdir()]
        return sorted(int(m[1]) for m in found if m and int(m[2] or 0) == objective)


def trouble(run: Run) -> str:
    """What the probe has met; nothing, where all went well."""
    log = run.directory / "probe.log"
    return log.read_text() if log.exists() else ""


def environment(run: Run, *, mode: str = "record", endpoint: Optional[Path] = None, **options: Any) -> dict[str, str]:
    """The environment that the launcher makes."""
    settings = {
        "mode": mode,
        "runDirectory": str(run.directory),
        "endpointFile": str(endpoint or run.directory / "endpoint.json"),
        "socketDirectory": str(run.sockets),
        "token": "secret",
        "objective": 0,
        "every": None,
        "everyStep": False,
        "holdSeconds": 0,
        "evaluationSamples": 1024,
        **options,
    }
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH",)}
    return {
        **env,
        "BASIN_PROBE": json.dumps(settings),
        "BASIN_PROBE_LOG": str(run.directory / "probe.log"),
        "PYTHONPATH": str(PROBE / "site"),
        "OMP_NUM_THREADS": "1",
    }


@contextlib.contextmanager
def new_run() -> Iterator[Run]:
    """A run directory as the launcher makes it, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="basin-"))
    try:
        run = Run(folder / "run", folder / "s")
        run.directory.mkdir()
        run.sockets.mkdir(mode=0o700)
        (run.directory / "run.json").write_text(
            json.dumps(
                {
                    "format": 1, "id": "test", "name": "test", "state": "starting", "stateReason": None,
                    "created": "2026-01-01T00:00:00.000Z", "updated": "2026-01-01T00:00:00.000Z", "ended": None,
                    "command": [], "cwd": "/", "script": None, "versions": {"basin": "0"}, "gitCommit": None,
                    "framework": None, "backend": None, "process": None, "objectives": [],
                    "recording": {"snapshotEvery": 1, "weightsEvery": 1, "requestedEvery": None, "steps": 0,
                                  "snapshots": 0, "notes": []},
                    "evaluationSet": None,
                }
            )
        )  # fmt: skip
        yield run
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def command(script: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(script), *arguments]


def record(run: Run, script: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a script to its end under the probe."""
    return WARM.run([str(script), *arguments], environment(run, **options), run.directory, timeout=300)


def wait_for(
    condition: Any, process: Union[subprocess.Popen[Any], WarmProcess, None] = None, seconds: float = 60
) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            value = condition()
            if value:
                return value
            raise AssertionError(f"the process ended with {process.returncode}")
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@contextlib.contextmanager
def asking(
    run: Run, script: Path, *arguments: str, mode: str = "evaluate", objective: int = 0, **options: Any
) -> Iterator[Client]:
    """Starts the script in a mode in which it answers, and connects."""
    endpoint = run.directory / ("endpoint.json" if mode == "record" else f"frozen-{time.monotonic_ns()}.json")
    log = open(run.directory / "output.log", "ab")
    env = environment(run, mode=mode, endpoint=endpoint, objective=objective, **options)
    process = WARM.start([str(script), *arguments], env, run.directory, log.fileno(), log.fileno())
    try:
        wait_for(endpoint.exists, process)
        client = Client(json.loads(endpoint.read_text()), objective)
        try:
            yield client
        finally:
            client.close()
        process.wait(30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


HOW = {"data": {"split": "train"}, "mode": "as-trained", "refresh": False}


def how(mode: str = "as-trained", split: str = "train", refresh: bool = False, samples: Optional[int] = None) -> dict:
    data = {"split": split} if samples is None else {"split": split, "samples": samples}
    return {"data": data, "mode": mode, "refresh": refresh}
