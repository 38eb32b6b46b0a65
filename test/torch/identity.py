"""Running a script under fingerprint.py, with the probe and without, and comparing the two courses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

from warm import WarmInterpreter

RUNNER = Path(__file__).with_name("fingerprint.py")
#: Before a warning of torch's own log.
_TIME = re.compile(r"(?<=^[VIWEF])\d{4} [\d:.]+ \d+ ", re.MULTILINE)
#: What of the environment decides the course of a script.
_STEADY = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
#: Its forks have one order of sets; those of the harness, in which a run is asked later, have another.
STEADY = WarmInterpreter(**_STEADY)


def fingerprint(command: list[str], script: Path, folder: Path, env: dict[str, str], **more: str) -> dict[str, Any]:
    """
    What fingerprint.py tells of a script that runs to its end, and its ``output``: (stdout, stderr).

    :param command: the launcher that stands before the interpreter; without one the script runs in a fork
    """
    result = folder / "result.json"
    all_env = {**env, **more, **steady(result)}
    if command:
        done = subprocess.run(
            [*command, sys.executable, str(RUNNER), str(script)],
            env=all_env,
            capture_output=True,
            text=True,
            timeout=400,
        )
    else:
        done = STEADY.run([str(RUNNER), str(script)], all_env, folder, timeout=400)
    assert done.returncode == 0, done.stderr
    return {**json.loads(result.read_text()), "output": (done.stdout, _TIME.sub("", done.stderr))}


def steady(result: Path) -> dict[str, str]:
    """For a script whose course is compared with another: what decides it, and where the fingerprint goes."""
    return {"RESULT": str(result), **_STEADY}


def plain_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("BASIN_PROBE", "PYTHONPATH")}


def first_difference(a: list[str], b: list[str]) -> Optional[int]:
    """The step behind which two courses are no longer the same."""
    if len(a) != len(b):
        return min(len(a), len(b))
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), None)
