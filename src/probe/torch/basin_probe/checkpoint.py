"""What training stands on at a boundary, kept in memory and put back: weights, state, optimizer, random streams."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import torch

from . import random_streams
from .kept_optimizer import KeptOptimizer
from .naming import Named, filter_axis, role
from .objective import Objective
from .schedules import is_scheduled
from .vectors import Vector

_NAMES = {"torch": "torch", "python": "Python's random", "cuda": "CUDA", "mps": "MPS", "numpy": "NumPy"}
_REPLACED = "the optimizer's state (the script has made another optimizer since)"
_SPOILT = "moving statistics that are finite (the step's loss had spoilt them: an earlier snapshot has them)"


def _going_on(optimizers: Sequence[torch.optim.Optimizer]) -> list[str]:
    """A loader is an iterator that the script holds, and a scheduler counts by itself."""
    scheduled = any(is_scheduled(o) for o in optimizers)
    return ["the position in the data", *(["the position of the learning-rate schedule"] if scheduled else [])]


class Checkpoint:
    """Everything of one moment that can be put back."""

    def __init__(self, objective: Objective, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.step = objective.steps
        with torch.no_grad():
            self.parameters = [p.detach().clone() for p in objective.parameters]
            self.state = [s.now().detach().clone() for s in objective.state]
        self.optimizers = [KeptOptimizer(o) for o in optimizers]
        self.streams = random_streams.read_streams()
        self._going_on = _going_on(optimizers)
        #: inside of a step, whose loss moves statistics
        self._spoilt = not all(bool(torch.isfinite(s).all()) for s in self.state)

    def restore(self, objective: Objective, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Any]:
        """
        Every tensor stays the object that the script knows. The state of an optimizer that trains no more is left alone,
        as is that of the one that has taken its place.
        """
        with torch.no_grad():
            for p, kept in zip(objective.parameters, self.parameters):
                p.copy_(kept)
            _put_state(objective, self.state)
        own = [kept for kept in self.optimizers if any(kept.optimizer is o for o in optimizers)]
        for kept in own:
            kept.restore()
        random_streams.write_streams(self.streams)
        replaced = any(all(kept.optimizer is not o for kept in self.optimizers) for o in optimizers)
        return self.contents(_REPLACED if replaced else None)

    def contents(self, instead: Optional[str] = None) -> dict[str, Any]:
        """:param instead: why the optimizer's state is not among what was put back, where there is another reason than none"""
        restored = ["weights"]
        if instead is None and self.optimizers:
            restored.append("the optimizer's state")
        restored += [f"the random stream of {_NAMES.get(name, name)}" for name in self.streams]
        missing = [instead] if instead is not None else [] if self.optimizers else ["the optimizer's state"]
        if self._spoilt:
            missing.append(_SPOILT)
        return {"step": self.step, "restored": restored, "notRestored": missing + self._going_on}


def _put_state(objective: Objective, values: Sequence[torch.Tensor]) -> None:
    """
    Through ``.data``, which counts no change: a loss of the script's that is under way (a GAN's sample, made before the
    critic's step) may have saved an opponent's weights, and autograd would refuse to go back through it. Weights of the
    objective itself have just been changed by its own update, so that no loss can wait for those.
    """
    for tensor, value in zip(objective.state, values):
        tensor.now().data.copy_(value)


def assign(
    objective: Objective, optimizers: Sequence[torch.optim.Optimizer], vector: Vector, step: int
) -> dict[str, Any]:
    """Writes a vector into the weights, and its state where it has any; ``step`` is the one that they are of."""
    with torch.no_grad():
        for p, values in zip(objective.parameters, objective.layout.split(vector.flat)):
            p.copy_(values)
        if vector.state is not None:
            _put_state(objective, vector.state)
    return {
        "step": step,
        "restored": ["weights"],
        "notRestored": ["the optimizer's state", "the random streams", *_going_on(optimizers)],
    }


def statistics(objective: Objective, flat: torch.Tensor) -> list[dict[str, Any]]:
    """One entry a parameter (ParameterStatistics of src/protocol/standing.ts)."""
    entries = []
    for named, part in zip(objective.named, objective.layout.split(flat)):
        values = part.detach().reshape(-1).double()
        finite = values[torch.isfinite(values)]
        some = finite.numel() > 0
        entries.append(
            {
                "norm": float(finite.norm()) if some else 0.0,
                "mean": float(finite.mean()) if some else 0.0,
                "largest": float(finite.abs().max()) if some else 0.0,
                "zeros": float((values == 0).sum()) / max(1, values.numel()),
                "nonFinite": values.numel() - finite.numel(),
                "units": _zero_units(named, part.detach()),
            }
        )
    return entries


def _zero_units(named: Named, values: torch.Tensor) -> Optional[dict[str, Any]]:
    """Units of a kernel whose every number is zero."""
    axis = filter_axis(named) if role(named) == "kernel" else None
    if axis is None:
        return None
    units = values.movedim(axis, 0).flatten(1)
    return {"zero": (units == 0).all(dim=1).nonzero().flatten().tolist(), "of": values.shape[axis]}
