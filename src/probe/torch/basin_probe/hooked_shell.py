"""In a hooked shell: asking for a run for this process, at the moment when it imports torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Optional

from .options import PROBE_VARIABLE, ProbeOptions, read_options

HOOK_VARIABLE = "BASIN_HOOK"
#: Seconds; longer than any machine takes to answer. Then the script goes on unrecorded.
PATIENCE = 20


def ask_for_run() -> Optional[ProbeOptions]:
    """
    The options that the answer holds, also left in this process's environment, where a child that trains in this one's
    place (torchrun's) finds them; None when there is no answer, or this is no hooked shell. Processes that this one
    starts ask for no run of their own.
    """
    text = os.environ.pop(HOOK_VARIABLE, None)
    if not text:
        return None
    try:
        hook = json.loads(text)
        own = getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv]
        command = [*hook["command"], "--pid", str(os.getpid()), "--cwd", os.getcwd(), "--", sys.executable, *own[1:]]
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            env={**os.environ, **hook["environment"]},
        )
        os.environ[PROBE_VARIABLE] = answer.stdout.decode("utf-8").strip()
        return read_options()
    except Exception:  # the script goes on unrecorded
        return None
