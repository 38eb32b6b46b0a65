"""What a question to an evaluator is made of: weights, and how the loss is evaluated there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import torch

from .program import Batch

#: Whether whoever asked has taken the question back.
Cancelled = Callable[[], bool]


class Vector:
    """A flat vector over the parameters, and state when it carries some. Never changed once made."""

    __slots__ = ("flat", "state")

    def __init__(self, flat: torch.Tensor, state: Optional[list[torch.Tensor]]) -> None:
        self.flat = flat
        self.state = state


@dataclass(frozen=True)
class How:
    """HowToEvaluate of src/protocol/evaluator.ts."""

    split: str
    samples: Optional[int]
    inference: bool
    refresh: bool
    #: these batches alone, half-open; statistics are refreshed from the whole split all the same
    range: Optional[tuple[int, int]] = None
    #: batches that were drawn, in place of the split's
    drawn: Optional[tuple[Batch, ...]] = None
