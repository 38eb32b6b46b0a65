"""What the launcher tells the probe through the environment variable BASIN_PROBE (src/protocol/launch.ts)."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import Any, Optional

from .starter import Starter, read_starter

PROBE_VARIABLE = "BASIN_PROBE"
CLAIM_FILE = "claim"
LOADED_FILE = "loaded"


@dataclass(frozen=True)
class ProbeOptions:
    """``mode`` is ``record`` or ``evaluate``; the rest as in ProbeOptions of src/protocol/launch.ts."""

    mode: str
    run_directory: str
    endpoint_file: str
    socket_directory: str
    token: str
    objective: int
    every: Optional[int]
    every_step: bool
    hold_seconds: float
    evaluation_samples: int
    #: before the first update until a debugger comes, for so many seconds at most; None: not at all
    stand_first: Optional[float]
    starter: Optional[Starter] = None

    def path(self, *parts: str) -> str:
        return os.path.join(self.run_directory, *parts)


#: A process that was launched to stand at its first step waits so long for its debugger, then trains alone.
_ENTRY_SECONDS = 60.0


def _seconds_to_stand(word: Any) -> Optional[float]:
    if not word:
        return None
    return math.inf if word == "for-good" else _ENTRY_SECONDS


def read_options() -> Optional[ProbeOptions]:
    """The options of this process; None when it was not started by Basin or they cannot be read."""
    text = os.environ.get(PROBE_VARIABLE)
    if not text:
        return None
    try:
        raw = json.loads(text)
        return ProbeOptions(
            mode=str(raw["mode"]),
            run_directory=str(raw["runDirectory"]),
            endpoint_file=str(raw["endpointFile"]),
            socket_directory=str(raw["socketDirectory"]),
            token=str(raw["token"]),
            objective=int(raw["objective"]),
            every=None if raw["every"] is None else int(raw["every"]),
            every_step=bool(raw["everyStep"]),
            hold_seconds=float(raw["holdSeconds"]),
            evaluation_samples=int(raw["evaluationSamples"]),
            stand_first=_seconds_to_stand(raw.get("standFirst", False)),
            starter=read_starter(raw.get("starter")),
        )
    except (ValueError, KeyError, TypeError):
        return None
