"""
The loss at several points of weight space in one pass (``torch.func.vmap``): a very small model spends most of a pass
on calling operations, and one call then serves many points.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator, Optional

import torch

from .first_layers import Plane, trial_points
from .measuring import fastest, same_loss
from .program import Batch, Program
from .questions import How, Vector

if TYPE_CHECKING:
    from .evaluator import Evaluator

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

    def count(self, feeds: list[Batch], origin: "Vector", how: "How", plane: Optional[Plane]) -> int:
        """
        Points at a time that are fastest. Inside of a session without autograd.

        More than one only where points can differ in nothing but the weights: in inference mode (noise is drawn and
        statistics are taken point by point), at stored statistics, with every parameter reached through its module.

        :param plane: what the first layers give is known (first_layers.py)
        """
        if not how.inference or how.refresh or not hasattr(torch, "func"):
            return 1
        key = (plane is not None, *(id(b) for b in feeds))
        if key not in self._counts:
            self._counts[key] = self._measure(feeds, origin, plane)
        return self._counts[key]

    def losses(
        self, feeds: list[Batch], flats: torch.Tensor, plane: Optional[Plane], coefficients: list[list[float]]
    ) -> list[Found]:
        """
        What each batch gives at all points.

        :param flats: [points, length of the layout]
        :param coefficients: of the points on the plane; not looked at without one
        """
        layout = self.evaluator.layout
        by_parameter = zip(*[layout.split(flat) for flat in flats])
        stacked = [torch.stack(pieces).to(p.dtype) for pieces, p in zip(by_parameter, layout.parameters)]
        places = {id(p): self._places(p) or [] for p in _programs(feeds)}
        rows = torch.tensor([[1.0, *c] for c in coefficients], dtype=layout.dtype, device=layout.device)
        return [self._batch_losses(i, feed, places[id(feed.program)], stacked, plane, rows) for i, feed in enumerate(feeds)]

    def _batch_losses(
        self,
        index: int,
        feed: Batch,
        places: list[Place],
        stacked: list[torch.Tensor],
        plane: Optional[Plane],
        rows: torch.Tensor,
    ) -> Found:
        def one(row: torch.Tensor, *pieces: torch.Tensor) -> tuple[torch.Tensor, ...]:
            with _placed(places, pieces), contextlib.nullcontext() if plane is None else plane.at(index, row):
                loss, singles = self.evaluator.one_pass(feed)
            return (loss,) if singles is None else (loss, singles)

        losses, *singles = torch.func.vmap(one)(rows, *stacked)
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

    def _measure(self, feeds: list[Batch], origin: "Vector", plane: Optional[Plane]) -> int:
        evaluator = self.evaluator
        if any(p.needs_grad or p.changed_leaves or self._places(p) is None for p in _programs(feeds)):
            return 1
        points = trial_points(evaluator, origin)
        corners = [[1.0, 0.0], [0.0, 1.0]]
        if plane is not None:
            plane = evaluator.first_layers.over(plane.layers, [origin, *(evaluator.vector(p - origin.flat) for p in points)])

        def one_by_one() -> list[float]:
            losses = []
            for flat, corner in zip(points, corners):
                evaluator.scratch.flat.copy_(flat)
                evaluator.scratch.loaded()
                losses.append(evaluator.mean_of(feeds, [x for x, _ in evaluator.passes(feeds, plane, corner)]))
            return losses

        plain, seconds = fastest(one_by_one, 3)
        best, seconds = 1, seconds / len(points)
        for count in _COUNTS:
            if count * evaluator.layout.length > _MOST_ELEMENTS:
                break
            chosen = [i % len(points) for i in range(count)]
            flats, rows = torch.stack([points[i] for i in chosen]), [corners[i] for i in chosen]
            try:
                found = self.losses(feeds, flats, plane, rows)
                for i, expected in enumerate(plain):
                    if not same_loss(evaluator.mean_of(feeds, [losses[i] for losses, _ in found]), expected):
                        return 1
                # Read, so that a device has finished.
                _, taken = fastest(lambda: [x.tolist() for x, _ in self.losses(feeds, flats, plane, rows)], 3)
            except Exception:  # control flow by values, an operation without a rule: it is not for this model
                break
            if taken / count > _WORTH * seconds:
                break
            best, seconds = count, taken / count
        return best


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
