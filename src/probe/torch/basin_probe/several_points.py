"""
The loss at several points of weight space in one pass (``torch.func.vmap``): a very small model spends most of a pass
on calling operations, and one call then serves many points.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator, Optional

import torch

from .measuring import fastest, same_loss
from .program import Batch, Program

if TYPE_CHECKING:
    from .evaluator import Evaluator, How, Vector

#: The losses of all points on a batch, and where they are known (Σ loss, Σ loss²) over its samples.
Found = tuple[torch.Tensor, Optional[torch.Tensor]]
#: A module's parameters, the key of one, its index in the layout.
Place = tuple[dict, str, int]

_COUNTS = (2, 4, 8, 16, 32, 64)
#: A larger count has to be this much faster to be tried further: memory grows with it.
_WORTH = 0.95
#: Elements of the weights of all points together.
_MOST_ELEMENTS = 1 << 22


class SeveralPoints:
    """How many points at a time, decided once for each set of batches: by measuring, and 1 wherever that differs."""

    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self._counts: dict[tuple, int] = {}

    def count(self, feeds: list[Batch], origin: "Vector", how: "How") -> int:
        """
        Points at a time that are fastest. Inside of a session without autograd.

        More than one only where points can differ in nothing but the weights: in inference mode (noise is drawn and
        statistics are taken point by point), at stored statistics, with every parameter reached through its module.
        """
        if not how.inference or how.refresh or not hasattr(torch, "func"):
            return 1
        key = tuple(id(b) for b in feeds)
        if key not in self._counts:
            self._counts[key] = self._measure(feeds, origin, how)
        return self._counts[key]

    def losses(self, feeds: list[Batch], flats: torch.Tensor) -> list[Found]:
        """
        What each batch gives at all points.

        :param flats: [points, length of the layout]
        """
        layout = self.evaluator.layout
        by_parameter = zip(*[layout.split(flat) for flat in flats])
        stacked = [torch.stack(pieces).to(p.dtype) for pieces, p in zip(by_parameter, layout.parameters)]
        places = {id(p): self._places(p) or [] for p in _programs(feeds)}
        return [self._batch_losses(feed, places[id(feed.program)], stacked) for feed in feeds]

    def _batch_losses(self, feed: Batch, places: list[Place], stacked: list[torch.Tensor]) -> Found:
        def one(*pieces: torch.Tensor) -> tuple[torch.Tensor, ...]:
            with _placed(places, pieces):
                loss, singles = self.evaluator.one_pass(feed)
            return (loss,) if singles is None else (loss, singles)

        losses, *singles = torch.func.vmap(one)(*stacked)
        return losses, singles[0] if singles else None

    def _places(self, program: Program) -> Optional[list[Place]]:
        """Wherever a module holds one of the parameters; None when the loss reads some by itself."""
        index = {id(p): i for i, p in enumerate(self.evaluator.layout.parameters)}
        if any(id(t) in index for t in program.live):
            return None
        return [
            (module._parameters, key, index[id(p)])
            for root in program.modules
            for module in root.modules()
            for key, p in module._parameters.items()
            if p is not None and id(p) in index
        ]

    def _measure(self, feeds: list[Batch], origin: "Vector", how: "How") -> int:
        evaluator = self.evaluator
        if any(p.needs_grad or p.changed_leaves or self._places(p) is None for p in _programs(feeds)):
            return 1
        points = self._trials(origin)

        def one_by_one() -> list[float]:
            losses = []
            for flat in points:
                evaluator.scratch.flat.copy_(flat)
                evaluator.scratch.loaded()
                losses.append(evaluator.mean_of(feeds, [evaluator.one_pass(feed)[0] for feed in feeds]))
            return losses

        plain, seconds = fastest(one_by_one, 3)
        best, seconds = 1, seconds / len(points)
        for count in _COUNTS:
            if count * evaluator.layout.length > _MOST_ELEMENTS:
                break
            flats = torch.stack([points[i % len(points)] for i in range(count)])
            try:
                found = self.losses(feeds, flats)
                for i, expected in enumerate(plain):
                    if not same_loss(evaluator.mean_of(feeds, [losses[i] for losses, _ in found]), expected):
                        return 1
                # Read, so that a device has finished.
                _, taken = fastest(lambda: [losses.tolist() for losses, _ in self.losses(feeds, flats)], 3)
            except Exception:  # control flow by values, an operation without a rule: it is not for this model
                break
            if taken / count > _WORTH * seconds:
                break
            best, seconds = count, taken / count
        return best

    def _trials(self, origin: "Vector") -> list[torch.Tensor]:
        """Two points that differ from the origin in every weight: one that was overlooked gives another loss."""
        layout = self.evaluator.layout
        shift = layout.gather([torch.full_like(p, 1e-2) for p in layout.parameters])
        return [origin.flat * 0.97 + shift, origin.flat * 1.04 - shift]


def _programs(feeds: list[Batch]) -> list[Program]:
    return list({id(b.program): b.program for b in feeds}.values())


@contextlib.contextmanager
def _placed(places: list[Place], pieces: tuple[torch.Tensor, ...]) -> Iterator[None]:
    kept = [(parameters, key, parameters[key]) for parameters, key, _ in places]
    try:
        for parameters, key, i in places:
            parameters[key] = pieces[i]
        yield
    finally:
        for parameters, key, value in kept:
            parameters[key] = value
