"""The numbers of each parameter at one step, as layers.bin keeps them (src/protocol/layerStatistics.ts)."""

from __future__ import annotations

import math
from typing import Optional

import torch

from .naming import Named, filter_axis, role
from .versions import copy_into
from .weights import gradients_of, norms_of

#: gradientNorm, updateNorm, weightNorm, alignment, dead
FIELDS = 5
#: Successive records in which a unit must be without a gradient to count as dead.
DEAD_AFTER = 8
#: Above so many numbers the last gradient is not kept beside the weights, and there is no alignment.
_MOST_KEPT = 2**28
_NAN = float("nan")


class LayerStatistics:
    """Of one objective. Allocates little while it reads: fresh memory is most of what reading costs."""

    def __init__(self, named: list[Named]) -> None:
        self.parameters = [n.tensor for n in named]
        #: the axis of units, for kernels
        self._axes = [filter_axis(n) if role(n) == "kernel" else None for n in named]
        self._without: list[Optional[torch.Tensor]] = [
            None if a is None else torch.zeros(n.tensor.shape[a], dtype=torch.int32, device=n.tensor.device)
            for n, a in zip(named, self._axes)
        ]
        self._aligns = sum(p.numel() for p in self.parameters) <= _MOST_KEPT
        self._last: list[torch.Tensor] = []
        #: step whose gradients are kept, and the places of those that there were
        self._kept: Optional[tuple[int, list[int]]] = None

    def remember(self, step: int) -> None:
        """Keeps a step's gradients, for the alignment with those of the step after it."""
        self._kept = None
        if not self._aligns:
            return
        with torch.no_grad():
            if not self._last:
                self._last = [torch.empty_like(p, requires_grad=False) for p in self.parameters]
            found = self._dense()
            if found:  # an optimizer that calls backward() itself has none before its first step
                copy_into([self._last[i] for i in found], list(found.values()))
                self._kept = (step, list(found))

    def read(self, step: int, gradients: list[float], updates: Optional[list[float]]) -> list[float]:
        """
        One record: the fields of each parameter in turn.

        :param gradients: norm of each one's gradient, NaN where there is none
        :param updates: norm of each one's last update; None where it was not measured
        """
        with torch.no_grad():
            weights = norms_of([p.detach() for p in self.parameters])
            found = self._dense()
            alignment = self._alignment(step, found, gradients)
            dead = self._dead(found)
        record = []
        for i in range(len(self.parameters)):
            update = _NAN if updates is None else updates[i]
            record += [gradients[i], update, weights[i], alignment.get(i, _NAN), dead.get(i, _NAN)]
        return record

    def _dense(self) -> dict[int, torch.Tensor]:
        grads = {i: p.grad.detach() for i, p in enumerate(self.parameters) if p.grad is not None and not p.grad.is_sparse}
        return {i: g for i, g in grads.items() if g.shape == self.parameters[i].shape}

    def _alignment(self, step: int, found: dict[int, torch.Tensor], gradients: list[float]) -> dict[int, float]:
        """Cosine of each gradient with that of the step before. What is kept is used up."""
        kept, self._kept = self._kept, None
        if kept is None or kept[0] != step - 1:
            return {}
        places = [i for i in kept[1] if i in found]
        if not places:
            return {}
        last = [self._last[i] for i in places]
        before = norms_of(last)
        torch._foreach_mul_(last, [found[i].to(self._last[i].dtype) for i in places])
        products = _together([t.sum(dtype=torch.float32 if t.dtype != torch.float64 else None) for t in last])
        cosines = {}
        for i, norm, product in zip(places, before, products):
            scale = norm * gradients[i]
            cosines[i] = max(-1.0, min(1.0, product / scale)) if 0 < scale < math.inf else _NAN
        return cosines

    def _dead(self, found: dict[int, torch.Tensor]) -> dict[int, float]:
        places = []
        counts = []
        for i, (axis, without) in enumerate(zip(self._axes, self._without)):
            if axis is None or without is None or i not in found:
                continue
            others = [d for d in range(found[i].dim()) if d != axis]
            largest = torch.linalg.vector_norm(found[i], ord=math.inf, dim=others)
            without.add_(1).mul_(largest == 0)
            places.append(i)
            counts.append((without >= DEAD_AFTER).sum())
        return dict(zip(places, _together(counts)))


def parameters_gradients(parameters: list[torch.Tensor]) -> list[float]:
    """Norm of each one's gradient as the optimizer gets it (after clipping); NaN where there is none."""
    found = gradients_of(parameters)
    norms = norms_of(list(found.values()))
    out = [_NAN] * len(parameters)
    for i, norm in zip(found, norms):
        out[i] = norm
    return out


def _together(scalars: list[torch.Tensor]) -> list[float]:
    """Scalars as numbers, with one wait for the device."""
    if not scalars:
        return []
    if len({t.device for t in scalars}) > 1:
        scalars = [t.cpu() for t in scalars]
    return torch.stack([t.double() if t.device.type != "mps" else t.float() for t in scalars]).tolist()
