"""Graphs of a gradient that are kept from one Hessian-vector product to the next, while memory allows."""

from __future__ import annotations

import os
from typing import Any

import torch

from .program import Batch
from .questions import How, Vector

#: Share of the memory that is free which they may take.
_GRAPH_MEMORY = 0.3


class KeptGraphs:
    """The graphs of the gradient at one point, from which each further product is one more backward pass."""

    def __init__(self, at: Vector, how: How, batches: list[Batch], parameters: list[torch.Tensor]) -> None:
        self.at = at
        self.how = how
        self.batches = batches
        self.versions = [p._version for p in parameters]
        self.graphs: list[Any] = []
        self.keeps = True

    def fits(self, at: Vector, how: How, batches: list[Batch], parameters: list[torch.Tensor]) -> bool:
        return (
            self.at is at
            and self.how == how
            and len(self.batches) == len(batches)
            and all(a is b for a, b in zip(self.batches, batches))
            and self.versions == [p._version for p in parameters]
        )

    def consider(self, gradients: Any, used: float, batches: int) -> None:
        """Keeps a graph, unless those of all batches would take too much memory."""
        if not self.keeps:
            return
        if not self.graphs and used * batches > _GRAPH_MEMORY * free_memory():
            self.keeps = False
            return
        self.graphs.append(gradients)


def free_memory() -> float:
    """Bytes that the system can still give."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return 4e9
