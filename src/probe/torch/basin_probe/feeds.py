"""Which cut of the evaluation set into batches is fastest: found by measuring, where the cut changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

import torch

from .measuring import fastest, same_loss
from .program import Batch, Program

if TYPE_CHECKING:
    from .evaluator import Evaluator, Vector

_SIZES = (64, 128, 256, 512, 1024, 2048, 4096)


class Feeds:
    """Cuts of evaluation sets, decided once for each."""

    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self._chosen: dict[tuple, list[Batch]] = {}

    def choose(self, batches: list[Batch], inference: bool, origin: "Vector") -> list[Batch]:
        """
        The same samples in the batches that evaluate fastest. The recorded batches themselves, unless the loss is the
        mean over samples of something that does not look at other samples, which is tried, not guessed.
        """
        key = (tuple(id(b) for b in batches), inference)
        if key not in self._chosen:
            self._chosen[key] = self._measure(batches, inference, origin)
        return self._chosen[key]

    def _measure(self, batches: list[Batch], inference: bool, origin: "Vector") -> list[Batch]:
        # As trained, layers may look at the whole batch (batch norm), and noise is drawn for it.
        if not inference or len(batches) * batches[0].samples < _SIZES[0]:
            return batches
        whole = sum(b.samples for b in batches)
        sizes = [s for s in _SIZES if s < whole] + [whole]
        best, best_seconds = batches, float("inf")
        try:
            with self.evaluator.placed(batches, origin):
                expected, best_seconds = self._timed(batches)
                for size in sizes:
                    candidate = cut(batches, size)
                    if candidate is None:
                        break
                    loss, seconds = self._timed(candidate)
                    if not same_loss(loss, expected):
                        break
                    if seconds < best_seconds:
                        best, best_seconds = candidate, seconds
        except RuntimeError:  # shapes that were written into the loss
            return batches
        return best

    def _timed(self, batches: list[Batch]) -> tuple[float, float]:
        """(mean loss, seconds), the faster of two passes."""
        return fastest(lambda: self.evaluator.mean_loss(batches), 2)


def cut(batches: list[Batch], size: int) -> Optional[list[Batch]]:
    """The batches' samples in batches of ``size``; None when they cannot be joined."""
    program: Program = batches[0].program
    if len(program.terms) != 1 or any(b.program is not program or b.numbers != batches[0].numbers for b in batches):
        return None
    joined: list[torch.Tensor] = []
    split: list[bool] = []
    for i, first in enumerate(batches[0].leaves):
        parts = [b.leaves[i] for b in batches]
        by_sample = all(p.dim() > 0 and p.shape[0] == b.samples for p, b in zip(parts, batches))
        if by_sample and all(p.shape[1:] == first.shape[1:] for p in parts):
            joined.append(torch.cat(parts))
        elif all(p is first or (p.shape == first.shape and torch.equal(p, first)) for p in parts):
            joined.append(first)
            by_sample = False
        else:
            return None
        split.append(by_sample)
    if not any(split):
        return None
    total = sum(b.samples for b in batches)
    made = []
    for start in range(0, total, size):
        stop = min(total, start + size)
        leaves = [t[start:stop] if s else t for t, s in zip(joined, split)]
        b = batches[0]
        made.append(Batch(leaves, b.numbers, {}, b.attributes, stop - start, -1, None, program))
    return made
