"""What is read of the weights while training goes on: norms, distances, a fixed random projection; and how often."""

from __future__ import annotations

import math
import statistics
from typing import Optional

import torch

from .versions import copy_into

SKETCH_MAX_DIMENSION = 1024

#: Share of a step's time that reading weights may take; the rest of the 3 % is for everything else.
_SHARE = 0.015
_WARM_UP = 3
_WINDOW = 15
_MOST_SPARSE = 1024
#: Of the steps at which weights are read, every so many-th has its parameters read too (src/protocol/layerStatistics.ts).
LAYERS_STRIDE = 4


class WeightReader:
    """Norms of one objective's updates. Allocates nothing while it reads: fresh memory is most of what reading costs."""

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        """The weights of this moment are θ₀."""
        self.parameters = parameters
        with torch.no_grad():
            self._start = [p.detach().clone() for p in parameters]
            self._work = [torch.empty_like(p, requires_grad=False) for p in parameters]
            self._plan = plan_sketch([p.numel() for p in parameters])
            self._indices = [
                (i, torch.tensor(indices, dtype=torch.int64, device=parameters[i].device))
                for i, indices in enumerate(self._plan[2])
                if indices
            ]

    @property
    def sketch_plan(self) -> tuple[int, float]:
        """(dimension, scale)"""
        return self._plan[0], self._plan[1]

    def remember(self) -> None:
        """Call before an update whose norm is wanted."""
        with torch.no_grad():
            copy_into(self._work, [p.detach() for p in self.parameters])

    def read(self, remembered: bool) -> tuple[Optional[list[float]], float]:
        """(norm of each parameter's update since :meth:`remember`, distance of all from θ₀)."""
        with torch.no_grad():
            weights = [p.detach() for p in self.parameters]
            update = self._distances(weights) if remembered else None
            copy_into(self._work, self._start)
            return update, together(self._distances(weights))

    def _distances(self, weights: list[torch.Tensor]) -> list[float]:
        torch._foreach_sub_(self._work, weights)
        return norms_of(self._work)

    def sketch(self) -> torch.Tensor:
        """The projection of the present weights (src/protocol/sketch.ts)."""
        with torch.no_grad():
            parts = [self.parameters[i].detach().reshape(-1)[indices].float() for i, indices in self._indices]
            return (torch.cat([p.cpu() for p in parts]) * self._plan[1]).contiguous()


def norms_of(tensors: list[torch.Tensor]) -> list[float]:
    """Norm of each of several tensors."""
    if not tensors:
        return []
    norms = torch._foreach_norm(tensors)
    if len({t.device for t in norms}) > 1:
        norms = [t.cpu() for t in norms]
    return torch.stack([n.double() for n in norms]).tolist()


def together(norms: list[float]) -> float:
    """Norm of several tensors as one vector, from the norm of each."""
    return math.sqrt(sum(x * x for x in norms))


def gradients_of(parameters: list[torch.Tensor]) -> dict[int, torch.Tensor]:
    """By place, the gradients that there are, as the optimizer gets them (after clipping); of sparse ones the values."""
    found = {}
    for i, p in enumerate(parameters):
        g = p.grad
        if g is not None:
            found[i] = g.detach().coalesce().values() if g.is_sparse else g.detach()
    return found


def plan_sketch(sizes: list[int]) -> tuple[int, float, list[list[int]]]:
    """
    (m, √(n/m), indices in each parameter): the flat vector is cut into m equal stretches and one coordinate is drawn
    from each, the same for the same layout in every process.
    """
    n = sum(sizes)
    m = min(n, SKETCH_MAX_DIMENSION)
    chosen: list[list[int]] = [[] for _ in sizes]
    tensor = start = 0
    for i in range(m):
        low, high = i * n // m, (i + 1) * n // m
        flat = low + int(_hash_to_unit(i) * (high - low))
        while flat >= start + sizes[tensor]:
            start += sizes[tensor]
            tensor += 1
        chosen[tensor].append(flat - start)
    return m, math.sqrt(n / m) if m else 1.0, chosen


def _hash_to_unit(i: int) -> float:
    """A fixed hash of an integer to [0, 1) (the finaliser of MurmurHash3): no random stream is touched."""
    mask = 0xFFFFFFFF
    h = ((i + 1) * 0x9E3779B1) & mask
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & mask
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & mask
    return (h ^ (h >> 16)) / 2**32


class ReadingBudget:
    """Chooses a stride (1, 2, 4, …) from what a reading was seen to cost beside what a step takes, by medians."""

    def __init__(self, always: bool) -> None:
        self.always = always
        self.every = 1
        self._costs: list[float] = []
        #: of reading each parameter's own numbers, which happens more seldom
        self._more: list[float] = []
        self._steps: list[float] = []
        self._seen = 0
        self._decide_at = _WARM_UP + 5

    def due(self, step: int) -> bool:
        return step % self.every == 0

    @property
    def layers_every(self) -> int:
        """Each parameter's own numbers are read at multiples of it."""
        return self.every if self.always else self.every * LAYERS_STRIDE

    def cost_layers(self, seconds: float) -> None:
        """What reading them took, beside the reading of all weights."""
        self._more = [*self._more[1 - _WINDOW :], seconds]

    def cost(self, seconds: float) -> None:
        self._costs = [*self._costs[1 - _WINDOW :], seconds]

    def step(self, seconds: float) -> bool:
        """Takes the time of a step without the probe's own work; True when the stride has changed."""
        if self.always:
            return False
        self._seen += 1
        if self._seen <= _WARM_UP:
            return False
        self._steps = [*self._steps[1 - _WINDOW :], seconds]
        if self._seen < self._decide_at or not self._costs:
            return False
        self._decide_at = self._seen * 2
        allowed = _SHARE * statistics.median(self._steps)
        cost = statistics.median(self._costs)
        if self._more:
            cost += statistics.median(self._more) / LAYERS_STRIDE
        stride = 1
        while stride < _MOST_SPARSE and cost > allowed * stride:
            stride *= 2
        # Going back by one power of two is within the noise of the measurement: stay.
        if stride in (self.every, self.every // 2):
            return False
        self.every = stride
        return True


class SnapshotSchedule:
    """
    Which updates are kept: multiples of a stride that doubles whenever more than the most are kept or snapshots cost
    more than their share, and the first and the last always.
    """

    most = 200
    #: What snapshots may cost beside this share of the time that has passed, so that short runs have enough of them.
    _free_seconds = 1.0
    _share = 0.012

    def __init__(self, requested: Optional[int]) -> None:
        self.requested = requested
        self.every = requested or 1
        self.kept: list[int] = []
        self._spent = 0.0

    def due(self, step: int, elapsed: float) -> bool:
        if step % self.every:
            return False
        if self.requested is not None or not self.kept:
            return True
        if self._spent > self._free_seconds + self._share * elapsed:
            self.every *= 2
            return step % self.every == 0 and self._spent <= self._free_seconds + self._share * elapsed
        return True

    def keep(self, step: int, seconds: float) -> list[int]:
        """Notes a snapshot and what it cost; gives the earlier ones that are now to be dropped."""
        self._spent += seconds
        if self.kept and self.kept[-1] == step:
            return []
        self.kept.append(step)
        if self.requested is not None or len(self.kept) <= self.most:
            return []
        self.every *= 2
        dropped = [s for s in self.kept if s % self.every and s != self.kept[0]]
        self.kept = [s for s in self.kept if s not in dropped]
        return dropped
