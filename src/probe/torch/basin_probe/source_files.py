"""The script's own files, so that an answer can say when they have changed since the run was recorded."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from typing import Optional

#: A script that brings more than this has generated them.
_MOST_FILES = 300
_MOST_BYTES = 4 << 20


def own_files(script: Optional[str]) -> list[str]:
    """Absolute paths: the script, and the modules in its folder or the working directory that are imported by now."""
    installed = [os.path.realpath(p) for p in {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix}]
    near = [os.getcwd()] + ([] if script is None else [os.path.dirname(script)])
    homes = [os.path.realpath(folder) for folder in near]
    found: dict[str, None] = {} if script is None else {script: None}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py"):
            continue
        real = os.path.realpath(file)
        if any(_inside(real, home) for home in homes) and not any(_inside(real, folder) for folder in installed):
            found[os.path.abspath(file)] = None
    return list(found)[:_MOST_FILES]


def digests(files: list[str]) -> dict[str, str]:
    """SHA-256 of each file that can be read."""
    known: dict[str, str] = {}
    for name in files:
        try:
            if os.path.getsize(name) <= _MOST_BYTES:
                with open(name, "rb") as file:
                    known[name] = hashlib.sha256(file.read()).hexdigest()
        except OSError:
            continue
    return known


def _inside(file: str, folder: str) -> bool:
    return file.startswith(folder.rstrip(os.sep) + os.sep)
