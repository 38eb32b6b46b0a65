"""
Scripts in forks of an interpreter that has imported torch, which is most of what the process of a short script costs.
The probe is attached where sitecustomize attaches it, behind that import; that the environment alone brings it there is
tested by the launcher's own runs (test_identity.py) and by test_processes.py.

    python warm.py SOCKET      the descriptor on which requests come; ends when nobody holds its other end
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any, Optional, Union

_PROBE = Path(__file__).resolve().parents[2] / "src" / "probe" / "torch"
#: Seconds between two looks for children that have ended.
_LOOK = 0.005
_LARGEST = 1 << 20


class WarmProcess:
    """A script that runs in a fork: what the tests need of ``subprocess.Popen``."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.recv(64))
        self.returncode: Optional[int] = None

    def poll(self) -> Optional[int]:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: Optional[float] = None) -> int:
        """:raises subprocess.TimeoutExpired: when it has not ended in so many seconds"""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(64))
            except (BlockingIOError, socket.timeout):
                raise subprocess.TimeoutExpired("script", timeout or 0) from None
            self._connection.close()
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


class WarmInterpreter:
    """The parent of such processes; starts when the first of them is asked for."""

    def __init__(self, **env: str) -> None:
        """:param env: what has to be known when an interpreter starts, such as PYTHONHASHSEED"""
        self._env = env
        self._control: Optional[socket.socket] = None

    def start(
        self, arguments: list[str], env: dict[str, str], cwd: Union[str, Path], stdout: int, stderr: int
    ) -> WarmProcess:
        """
        ``python *arguments``, the first of which is a script.

        :param stdout: a descriptor, as ``stderr``
        """
        control = self._control or self._launch()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"arguments": arguments, "env": env, "cwd": str(cwd)}).encode()
        with there:
            socket.send_fds(control, [request], [there.fileno(), stdout, stderr])
        return WarmProcess(here)

    def run(
        self, arguments: list[str], env: dict[str, str], cwd: Union[str, Path], timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """To its end, as ``subprocess.run`` with ``capture_output`` and ``text``."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = self.start(arguments, env, cwd, output.fileno(), errors.fileno())
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, process.wait(), output.read(), errors.read())

    def _launch(self) -> socket.socket:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env = {k: v for k, v in os.environ.items() if k not in ("BASIN_PROBE", "PYTHONPATH")}
        with there:
            subprocess.Popen(
                [sys.executable, __file__, str(there.fileno())],
                env={**env, "OMP_NUM_THREADS": "1", **self._env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
            )
        self._control = here
        return here


def serve(control: socket.socket) -> Optional[tuple[dict[str, Any], list[int]]]:
    """Forks for each request. Comes back in the child with what it is to do, and in the parent at the end with None."""
    children: dict[int, socket.socket] = {}
    while True:
        if select.select([control], [], [], _LOOK if children else None)[0]:
            message, descriptors, _, _ = socket.recv_fds(control, _LARGEST, 3)
            if not message:
                return None
            pid = os.fork()
            if pid == 0:
                control.close()
                for other in children.values():
                    other.close()
                return json.loads(message), descriptors
            connection, *streams = descriptors
            children[pid] = socket.socket(fileno=connection)
            children[pid].send(b"%d" % pid)
            for stream in streams:
                os.close(stream)
        for pid, connection in list(children.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                try:
                    connection.send(b"%d" % os.waitstatus_to_exitcode(status))
                except OSError:
                    pass  # nobody waits for it
                children.pop(pid).close()


def become(request: dict[str, Any], descriptors: list[int]) -> types.ModuleType:
    """Makes this process what ``python script …`` makes of a new one; returns its empty ``__main__``."""
    connection, stdout, stderr = descriptors
    os.close(connection)
    for stream, number in ((stdout, 1), (stderr, 2)):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    # Else all forks would draw the same where a script sets no seed.
    random.seed()
    numpy.random.seed()
    arguments = request["arguments"]
    sys.argv = arguments
    sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
    main = types.ModuleType("__main__")
    main.__file__ = arguments[0]
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = main
    if os.environ.get("BASIN_PROBE"):
        sys.path.append(str(_PROBE))
        import basin_probe

        basin_probe.attach()
    return main


if __name__ == "__main__":
    import numpy
    import torch

    try:
        import torch._dynamo  # the first optimizer does, in torch 2
    except ImportError:
        pass
    task = serve(socket.socket(fileno=int(sys.argv[1])))
    if task is not None:
        place = become(*task)
        # At the module's top, so that the interpreter ends as it does behind any script.
        with open(place.__file__, "rb") as file:  # type: ignore[arg-type]
            code = compile(file.read(), place.__file__, "exec")  # type: ignore[arg-type]
        exec(code, place.__dict__)
