"""
The loss at several points of weight space in one pass (``torch.func.vmap``): a very small model spends most of a pass
on calling operations, and one call then serves many points.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional

import torch

from .program import Batch, Program

if TYPE_CHECKING:
    from .evaluator import Evaluator, How, Vector

#: The loss of each point and batch, and where they are known (Σ loss, Σ loss²) over the batch's samples.
Found = "tuple[torch.Tensor, Optional[torch.Tensor]]"

_COUNTS = (2, 4, 8, 16, 32, 64)
#: A larger count has to be this much faster to be tried further: memory grows with it.
_WORTH = 0.95
#: Elements of the weights of all points together.
_MOST_ELEMENTS = 1 << 22
_TOLERANCE = 2e-6


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

    def losses(self, feeds: list[Batch], flats: torch.Tensor) -> "list[Found]":
        """
        By batch: the losses of all points and their sums over samples.

        :param flats: [points, length of the layout]
        """
        layout = self.evaluator.layout
        stacked = tuple(
            torch.stack([layout.split(flat)[i] for flat in flats]).to(p.dtype) for i, p in enumerate(layout.parameters)
        )
        found = []
        for feed in feeds:
            places = self._places(feed.program)
            if places is None:
                raise RuntimeError("a parameter is read by other ways than its module")
            known: list[bool] = []

            def one(*pieces: torch.Tensor, feed: Batch = feed, places: Any = places, known: Any = known) -> Any:
                with _placed(places, pieces):
                    loss, singles = self.evaluator.one_pass(feed)
                known.append(singles is not None)
                return loss, loss if singles is None else singles

            losses, singles = torch.func.vmap(one)(*stacked)
            found.append((losses, singles if known[-1] else None))
        return found

    def _places(self, program: Program) -> "Optional[list[tuple[dict, str, int]]]":
        """(a module's parameters, key, index in the layout) wherever one is; None when the loss reads some by itself."""
        index = {id(p): i for i, p in enumerate(self.evaluator.layout.parameters)}
        if any(id(t) in index for t in program.live):
            return None
        found = []
        for root in program.modules:
            for module in root.modules():
                for key, p in module._parameters.items():
                    if p is not None and id(p) in index:
                        found.append((module._parameters, key, index[id(p)]))
        return found

    def _measure(self, feeds: list[Batch], origin: "Vector", how: "How") -> int:
        evaluator = self.evaluator
        programs = {id(b.program): b.program for b in feeds}.values()
        if any(p.needs_grad or p.changed_leaves or self._places(p) is None for p in programs):
            return 1
        points = self._trials(origin)
        plain: list[float] = []

        def one_by_one() -> None:
            for flat in points[:2]:
                evaluator.scratch.flat.copy_(flat)
                evaluator.scratch.loaded()
                loss = evaluator.mean_of(feeds, [evaluator.one_pass(feed)[0] for feed in feeds])
                plain.append(loss)

        best, seconds = 1, _fastest(one_by_one) / 2
        for count in _COUNTS:
            if count * evaluator.layout.length > _MOST_ELEMENTS:
                break
            flats = torch.stack([points[i % 2] for i in range(count)])
            try:
                found = self.losses(feeds, flats)
                for i in range(2):
                    loss = evaluator.mean_of(feeds, [losses[i] for losses, _ in found])
                    if not abs(loss - plain[i]) <= _TOLERANCE * max(abs(plain[i]), 1e-6):
                        return 1
                # Read, so that a device has finished.
                each = _fastest(lambda: [losses.tolist() for losses, _ in self.losses(feeds, flats)]) / count
            except Exception:  # control flow by values, an operation without a rule: it is not for this model
                break
            if each > _WORTH * seconds:
                break
            best, seconds = count, each
        return best

    def _trials(self, origin: "Vector") -> list[torch.Tensor]:
        """Two points that differ from the origin in every weight: one that was overlooked gives another loss."""
        layout = self.evaluator.layout
        shift = layout.gather([torch.full_like(p, 1e-2) for p in layout.parameters])
        return [origin.flat * 0.97 + shift, origin.flat * 1.04 - shift]


@contextlib.contextmanager
def _placed(places: "list[tuple[dict, str, int]]", pieces: "tuple[torch.Tensor, ...]") -> Iterator[None]:
    kept = [(parameters, key, parameters[key]) for parameters, key, _ in places]
    try:
        for parameters, key, i in places:
            parameters[key] = pieces[i]
        yield
    finally:
        for parameters, key, value in kept:
            parameters[key] = value


def _fastest(work: Callable[[], Any]) -> float:
    """Seconds, the least of three."""
    seconds = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds
