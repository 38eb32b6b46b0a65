"""The table of scripts that replay, and which of them this Python or torch cannot run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
import torch
from harness import SCRIPTS

#: Scripts that train by a library of their own, and the module they need.
LIBRARIES = {"lightning_trainer": "lightning", "transformers_trainer": "transformers"}
KINDS = sorted(SCRIPTS.glob("*.py")) + sorted(SCRIPTS.with_name("scripts-libraries").glob("*.py"))

#: torch.compile came with 2.0; layer norm under bfloat16 autocast on the CPU fails before it, without Basin as well.
_NEEDS_TORCH_2 = {"compiled_module", "compiled_loss", "autocast"}


def skip_absent(script: Path) -> None:
    """Skips what this Python or torch does not have; on CI, where all is installed, a missing library fails."""
    library = LIBRARIES.get(script.stem)
    if library is not None and importlib.util.find_spec(library) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{library} is not installed, and test/torch/requirements.txt names it")
        pytest.skip(f"needs {library}")
    if script.stem in _NEEDS_TORCH_2 and not hasattr(torch, "compile"):
        pytest.skip("this script does not run before torch 2.0")
