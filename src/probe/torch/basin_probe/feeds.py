"""Which cut of the evaluation set into batches is fastest: found by measuring, where the cut changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import torch

from .measuring import fastest, same_loss
from .program import Batch, Program
from .questions import Vector

if TYPE_CHECKING:
    from .evaluator import Evaluator

_SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
#: Of which a standard error can be told, where single samples have no losses.
_FEWEST_BATCHES = 8


@dataclass(frozen=True)
class Cut:
    """A split of the evaluation set into batches, and the memory format of what has four axes."""

    batches: list[Batch]
    channels_last: bool


class Feeds:
    """Cuts of evaluation sets, decided once for each."""

    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self._chosen: dict[tuple, Cut] = {}

    def choose(self, batches: list[Batch], inference: bool, origin: "Vector") -> Cut:
        """
        The same samples in the batches that evaluate fastest. The recorded batches themselves, unless the loss is the
        mean over samples of something that does not look at other samples, which is tried, not guessed.
        """
        key = (tuple(id(b) for b in batches), inference)
        if key not in self._chosen:
            self._chosen[key] = self._measure(batches, inference, origin)
        return self._chosen[key]

    def _measure(self, batches: list[Batch], inference: bool, origin: "Vector") -> Cut:
        whole = sum(b.samples for b in batches)
        # As trained, layers may look at the whole batch (batch norm), and noise is drawn for it.
        if not inference or whole < _SIZES[0]:
            return Cut(batches, False)
        sizes = [s for s in _SIZES if s < whole] + [whole]
        best, best_seconds, fastest_size = Cut(batches, False), float("inf"), 0
        with self.evaluator.placed(batches, origin):
            expected, best_seconds = self._timed(best)
            if self.evaluator.one_pass(batches[0])[1] is None:
                # The standard error is then told by batches, and has to be the same whatever is fastest.
                fewest = min(_FEWEST_BATCHES, len(batches))
                sizes = [s for s in sizes if -(-whole // s) >= fewest]

            def tried(size: int, channels_last: bool) -> Optional[tuple[Cut, float]]:
                """A cut and its seconds; None where it cannot be or gives something else."""
                try:
                    # Ordinary tensors, which autograd takes as well.
                    with torch.inference_mode(False), torch.no_grad():
                        made = cut(batches, size, channels_last)
                    if made is None:
                        return None
                    candidate = Cut(made, channels_last)
                    loss, seconds = self._timed(candidate)
                except RuntimeError:  # shapes, or an order of the axes, that were written into the loss
                    return None
                return (candidate, seconds) if same_loss(loss, expected) else None

            for i, size in enumerate(sizes):
                found = tried(size, False)
                if found is None:
                    break
                if found[1] < best_seconds:
                    (best, best_seconds), fastest_size = found, i
            if not any(p.dim() == 4 for p in self.evaluator.layout.parameters):
                return best
            # Channels last, the fastest size is near the other format's, and mostly below it.
            for direction in (-1, 1):
                i = fastest_size if direction < 0 else fastest_size + 1
                while 0 <= i < len(sizes):
                    found = tried(sizes[i], True)
                    if found is None or found[1] >= best_seconds:
                        break
                    best, best_seconds = found
                    i += direction
        return best

    def _timed(self, candidate: Cut) -> tuple[float, float]:
        """(mean loss, seconds), the faster of two passes."""
        with self.evaluator.scratch.in_format(candidate.channels_last):
            return fastest(lambda: self.evaluator.mean_loss(candidate.batches), 2)


def cut(batches: list[Batch], size: int, channels_last: bool = False) -> Optional[list[Batch]]:
    """The batches' samples in batches of ``size``; None when they cannot be joined."""
    program: Program = batches[0].program
    if not program.rows_are_samples or len(program.terms) != 1 or any(b.program is not program or b.numbers != batches[0].numbers for b in batches):
        return None
    joined: list[torch.Tensor] = []
    split: list[bool] = []
    for i, first in enumerate(batches[0].leaves):
        parts = [b.leaves[i] for b in batches]
        by_sample = all(p.dim() > 0 and p.shape[0] == b.samples for p, b in zip(parts, batches))
        if by_sample and all(p.shape[1:] == first.shape[1:] for p in parts):
            whole = torch.cat(parts)
            joined.append(whole.contiguous(memory_format=torch.channels_last) if channels_last and whole.dim() == 4 else whole)
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
