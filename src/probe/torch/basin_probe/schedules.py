"""Which optimizers have their learning rate moved by one of torch's schedulers."""

from __future__ import annotations

import functools
import weakref
from typing import Any

import torch
from torch.optim import lr_scheduler

_by_plateau: "weakref.WeakSet[torch.optim.Optimizer]" = weakref.WeakSet()


def watch_schedulers() -> None:
    """For good. ReduceLROnPlateau alone leaves no mark in the optimizer that it moves."""
    kind = lr_scheduler.ReduceLROnPlateau
    original = kind.__init__

    @functools.wraps(original)
    def made(scheduler: Any, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> None:
        original(scheduler, optimizer, *args, **kwargs)
        _by_plateau.add(optimizer)

    kind.__init__ = made  # type: ignore[method-assign]


def is_scheduled(optimizer: torch.optim.Optimizer) -> bool:
    """What a script does to its rate by hand is not seen."""
    # Every other scheduler notes there the rate that it begins at.
    return optimizer in _by_plateau or any("initial_lr" in group for group in optimizer.param_groups)
