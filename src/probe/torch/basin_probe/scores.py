"""What passes over an evaluation set come to: the mean loss with its standard error, and the share of right answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Optional

import torch

from .loss_site import LossSite
from .program import Batch


@dataclass
class Loss:
    """LossValue of src/protocol/evaluator.ts."""

    loss: float
    standard_error: Optional[float]
    standard_error_from: Optional[str]
    samples: int
    accuracy: Optional[float] = None
    accuracy_standard_error: Optional[float] = None


class Note:
    """Watches the loss calls of one run: losses of samples, right answers, predictions."""

    def __init__(
        self, batch: Batch, sites: list[LossSite], scored: bool, replaced: Optional[list[torch.Tensor]] = None
    ) -> None:
        self.batch = batch
        self.sites = sites
        self.scored = scored
        self.replaced = replaced
        self.singles: Optional[torch.Tensor] = None
        self.right: list[torch.Tensor] = []
        self.answers = 0
        self.predictions: list[torch.Tensor] = []

    def overrides(self) -> Optional[dict[int, Any]]:
        if not self.sites or not (self.scored or self.sites[0].is_whole_loss):
            return None
        found: dict[int, Any] = {site.operation.index: self._watch(i, site) for i, site in enumerate(self.sites)}
        if self.replaced is not None:
            for site, prediction in zip(self.sites, self.replaced):
                found.update(site.also_replaced(prediction))
        return found

    def _watch(self, i: int, site: LossSite) -> Callable[[Any, list, dict], Any]:
        def call(operation: Any, args: list, kwargs: dict) -> Any:
            if self.replaced is not None:
                args, kwargs = site.with_prediction(self.replaced[i], args, kwargs)
            if self.scored:
                prediction, target = site.prediction_and_target(args, kwargs)
                self.predictions.append(prediction)
                answers = site.right_answers(prediction, target)
                if answers is not None:
                    self.right.append(answers[0])
                    self.answers += answers[1]
            if site.is_whole_loss:
                values = site.unreduced(args, kwargs, self.batch.samples)
                if values is not None:
                    total = values.sum()
                    self.singles = torch.stack([total, (values * values).sum()]).detach()
                    return total / self.batch.samples
            return operation.call(*args, **kwargs)

        return call


class Tally:
    """What the passes over the batches of one request come to."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches
        self.losses: list[torch.Tensor] = []
        #: (Σ loss, Σ loss²) of samples
        self.singles: list[torch.Tensor] = []
        self.right: list[torch.Tensor] = []
        self.answers = 0

    def add(self, loss: torch.Tensor, note: Note) -> None:
        self.losses.append(loss.detach())
        if note.singles is not None:
            self.singles.append(note.singles)
        self.right.extend(note.right)
        self.answers += note.answers

    def summary(self) -> Loss:
        return summary(self.batches, self.losses, self.singles, self.right, self.answers)


def summary(
    batches: list[Batch],
    sums: list[torch.Tensor],
    singles: list[torch.Tensor],
    right: list[torch.Tensor],
    answers: int,
) -> Loss:
    """Mean over samples, its standard error from samples where they are known, else from the batches' means."""
    samples = sum(b.samples for b in batches)
    values = [float(x) for x in torch.stack([s.double() for s in sums]).tolist()]
    loss = sum(b.samples * x for b, x in zip(batches, values)) / samples
    error: Optional[float] = None
    origin: Optional[str] = None
    if len(singles) == len(batches) and samples > 1:
        total, squares = (float(x) for x in torch.stack(singles).sum(0).tolist())
        variance = max(0.0, squares - total * total / samples) / (samples - 1)
        error, origin = math.sqrt(variance / samples), "samples"
    elif len(batches) > 1:
        shares = [b.samples / samples for b in batches]
        spread = sum(w * w * (x - loss) ** 2 for w, x in zip(shares, values))
        error, origin = math.sqrt(spread * len(batches) / (len(batches) - 1)), "batches"
    if error is not None and not math.isfinite(error):
        error, origin = None, None
    found = Loss(loss, error, origin, samples)
    if answers:
        share = float(torch.stack(right).sum()) / answers
        found.accuracy = share
        found.accuracy_standard_error = math.sqrt(share * (1 - share) / answers)
    return found
