"""Whether the process that started this one for questions is gone: then nobody will ever ask."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Starter:
    """A process id, and on Linux the namespace in which it means something."""

    pid: int
    namespace: Optional[str]

    def is_gone(self) -> bool:
        """False as well where it cannot be known: from another namespace, and on Windows, where signal 0 would interrupt."""
        if os.name != "posix" or self.namespace != _namespace():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def read_starter(raw: object) -> Optional[Starter]:
    """From the launcher's JSON; None when it names no starter."""
    if not isinstance(raw, dict):
        return None
    namespace = raw.get("namespace")
    return Starter(int(raw["pid"]), None if namespace is None else str(namespace))


def _namespace() -> Optional[str]:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
