"""Batch-norm statistics computed anew, as ``torch.optim.swa_utils.update_bn`` does but weighted by samples."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .program import Program


def statistics_modules(program: Program) -> list[_BatchNorm]:
    """Batch-norm layers that kept averages while the program was recorded (not those that the script had frozen)."""
    found: dict[int, _BatchNorm] = {}
    for module, flag in program.training:
        if flag and isinstance(module, _BatchNorm) and module.track_running_stats and module.running_mean is not None:
            found[id(module)] = module
    return list(found.values())


@contextlib.contextmanager
def refreshing(program: Program) -> Iterator[list[_BatchNorm]]:
    """
    While it lasts, every call of a batch-norm layer moves its averages towards those of the call's batch by the
    batch's share of all samples so far, so that they end as sample-weighted means. Inside a session only: it is the
    session that puts averages and settings back.
    """
    modules = statistics_modules(program)
    momenta = [m.momentum for m in modules]
    handles: list[Any] = []
    seen: dict[int, int] = {}

    def before(module: nn.Module, args: Any) -> None:
        n = int(args[0].shape[0])
        seen[id(module)] = seen.get(id(module), 0) + n
        module.momentum = n / seen[id(module)]

    try:
        with torch.no_grad():
            for module in modules:
                module.reset_running_stats()
                handles.append(module.register_forward_pre_hook(before))
        yield modules
    finally:
        for handle in handles:
            handle.remove()
        for module, momentum in zip(modules, momenta):
            module.momentum = momentum
