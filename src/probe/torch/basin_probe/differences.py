"""The step of central differences along a direction."""

from __future__ import annotations

from typing import Optional

import torch

#: Relative to the weights' norm. Float32 leaves about four digits of a gradient's difference.
_STEP = 1e-3


def difference_step(at: torch.Tensor, direction: torch.Tensor) -> Optional[float]:
    """h of f(at ± h·direction), both flat; None for a direction without length."""
    length = float(direction.double().norm())
    return None if length == 0 else _STEP * max(1.0, float(at.double().norm())) / length
