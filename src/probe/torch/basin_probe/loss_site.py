"""
Where a program turns predictions and targets into a loss, when it does so by one of torch's own loss functions: what
losses of single samples, accuracy and ensembles need.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

import torch
import torch.nn.functional as F
from torch import nn

from .errors import BasinError
from .program import Operation, Program, Values

#: function → what its predictions are
_KINDS = {
    "cross_entropy": "logits",
    "nll_loss": "log-probabilities",
    "binary_cross_entropy_with_logits": "binary-logits",
    "binary_cross_entropy": "binary-probabilities",
    "mse_loss": "values",
    "l1_loss": "values",
    "smooth_l1_loss": "values",
    "huber_loss": "values",
}
_MODULES = {
    nn.CrossEntropyLoss: "cross_entropy",
    nn.NLLLoss: "nll_loss",
    nn.BCEWithLogitsLoss: "binary_cross_entropy_with_logits",
    nn.BCELoss: "binary_cross_entropy",
    nn.MSELoss: "mse_loss",
    nn.L1Loss: "l1_loss",
    nn.SmoothL1Loss: "smooth_l1_loss",
    nn.HuberLoss: "huber_loss",
}

Override = Callable[[Operation, list, dict], Any]


class LossSite:
    """One call of a loss function in a program."""

    def __init__(self, operation: Operation, name: str, is_whole_loss: bool) -> None:
        self.operation = operation
        self.name = name
        self.kind = _KINDS[name]
        #: Whether the step's loss is what this call gives, with nothing added or scaled.
        self.is_whole_loss = is_whole_loss

    @property
    def classifies(self) -> bool:
        return self.kind != "values"

    def prediction_and_target(self, args: list, kwargs: dict) -> tuple[torch.Tensor, torch.Tensor]:
        prediction = args[0] if args else kwargs["input"]
        target = args[1] if len(args) > 1 else kwargs["target"]
        return prediction, target

    def with_prediction(self, prediction: torch.Tensor, args: list, kwargs: dict) -> tuple[list, dict]:
        if args:
            return [prediction, *args[1:]], kwargs
        return args, {**kwargs, "input": prediction}

    def unreduced(self, args: list, kwargs: dict, samples: int) -> Optional[torch.Tensor]:
        """Loss of each sample; None where the mean is weighted or the elements do not group into samples."""
        module = self.operation.module
        if module is not None:
            if getattr(module, "reduction", None) != "mean" or getattr(module, "weight", None) is not None:
                return None
            module.reduction = "none"
            try:
                values = module(*args, **kwargs)
            finally:
                module.reduction = "mean"
        else:
            settings = {"weight", "size_average", "reduce", "pos_weight"}
            if len(args) > 2 or any(kwargs.get(k) is not None for k in settings) or kwargs.get("reduction", "mean") != "mean":
                return None
            values = self.operation.call(*args, **{**kwargs, "reduction": "none"})
        if values.numel() == 0 or values.numel() % samples != 0:
            return None
        return values.reshape(samples, -1).double().mean(1)

    def right_answers(self, prediction: torch.Tensor, target: torch.Tensor) -> Optional[tuple[torch.Tensor, int]]:
        """(number of right answers as a tensor, answers)."""
        if self.kind in ("logits", "log-probabilities"):
            axis = 1 if prediction.dim() > 1 else 0
            guess = prediction.argmax(axis)
            if target.is_floating_point():
                target = target.argmax(axis)
            counted = target >= 0  # ignore_index is negative by default
            return ((guess == target) & counted).sum(), int(counted.sum())
        if self.kind.startswith("binary") and not bool(((target == 0) | (target == 1)).all()):
            return None  # shares, not classes
        if self.kind == "binary-logits":
            return ((prediction > 0) == (target > 0.5)).sum(), target.numel()
        if self.kind == "binary-probabilities":
            return ((prediction > 0.5) == (target > 0.5)).sum(), target.numel()
        return None

    def average(self, predictions: list[torch.Tensor], combine: Optional[str] = None) -> torch.Tensor:
        """
        The ensemble's prediction in the form that the loss function takes.

        :param combine: Combination of src/protocol/evaluator.ts; probability, or mean of values, when None
        :raises BasinError: ``bad-input`` where the predictions cannot be combined so
        """
        if combine is not None and (combine == "mean") == self.classifies:
            what, cure = ("classes", "probability or logit") if self.classifies else ("values", "their mean")
            raise BasinError(
                "bad-input", f"This model predicts {what}, which have no {combine} to average.", f"Combine them by {cure}."
            )
        if combine == "logit":
            return self._mean_logits(predictions)
        if self.kind == "logits":
            axis = 1 if predictions[0].dim() > 1 else 0
            logs = torch.stack([F.log_softmax(p.double(), axis) for p in predictions])
            return (torch.logsumexp(logs, 0) - math.log(len(predictions))).to(predictions[0].dtype)
        if self.kind == "log-probabilities":
            logs = torch.stack([p.double() for p in predictions])
            return (torch.logsumexp(logs, 0) - math.log(len(predictions))).to(predictions[0].dtype)
        if self.kind == "binary-logits":
            return torch.logit(torch.stack([torch.sigmoid(p.double()) for p in predictions]).mean(0)).to(predictions[0].dtype)
        return torch.stack(predictions).mean(0)

    def _mean_logits(self, predictions: list[torch.Tensor]) -> torch.Tensor:
        mean = torch.stack([p.double() for p in predictions])
        if self.kind == "binary-probabilities":
            # What float32 holds as 0 or 1 is within e^-100 of it.
            mean = torch.sigmoid((mean.log().clamp(min=-100) - torch.log1p(-mean).clamp(min=-100)).mean(0))
        else:
            mean = mean.mean(0)
        if self.kind == "log-probabilities":
            mean = F.log_softmax(mean, 1 if mean.dim() > 1 else 0)
        return mean.to(predictions[0].dtype)


def find_sites(program: Program) -> list[LossSite]:
    """
    The loss calls of a program: one, or one for each of several terms (gradient accumulation). Empty when there is
    none, or when it cannot be told which of several is the prediction.
    """
    sites = []
    for operation in program.operations:
        name = _loss_name(operation)
        if name is None:
            continue
        slot = operation.outputs[0][1] if operation.outputs else -1
        whole = program.term_slots == [slot] and program.terms[0].weights is None
        sites.append(LossSite(operation, name, whole))
    if len(sites) > 1:
        per_term = [[s for s in sites if any(s.operation.entry is e for e in t.entries)] for t in program.terms]
        if len(sites) != len(program.terms) or any(len(found) != 1 for found in per_term):
            return []
        if len({s.name for s in sites}) > 1:
            return []
    return sites


def _loss_name(operation: Operation) -> Optional[str]:
    if operation.module is not None:
        return _MODULES.get(type(operation.module))
    entry = operation.entry
    # Functions seen by the function mode are torch's own; a name of one of these is the loss itself.
    if entry.kind == "function" and entry.name in _KINDS and getattr(F, entry.name, None) is not None:
        return entry.name
    return None


def outputs_of(values: Values, operation: Operation) -> list[Any]:
    return [values.slots[slot] for _, slot in operation.outputs]
