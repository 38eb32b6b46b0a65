"""What a run's record says of the process that writes it."""

from __future__ import annotations

import os
import platform
import sys
from typing import Optional

import torch


def start_time(pid: int) -> Optional[str]:
    """Field 22 of /proc/<pid>/stat, by which a later process with the same pid is told apart; None elsewhere."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return fields[19]
    except (OSError, IndexError):
        return None


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}
    for name in ("numpy", "lightning", "pytorch_lightning", "transformers"):
        module = sys.modules.get(name)
        if module is not None and isinstance(getattr(module, "__version__", None), str):
            found[name] = module.__version__
    return found


def backend(device: torch.device) -> str:
    """'cpu', or the accelerator with its name."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type


def script() -> Optional[str]:
    """Absolute path of the script that runs."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None
