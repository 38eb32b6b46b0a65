"""
Where a program turns predictions and targets into a loss, by one of torch's own loss functions or by a difference that is
squared by hand: what losses of single samples, accuracy and ensembles need.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

import torch
import torch.nn.functional as F
from torch import nn

from .errors import BasinError
from .program import Operation, Program, Values
from .structures import tensors_in
from .tape import Entry, Leaf, Live, Slot

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

#: Functions of a prediction less a target, or the other way round.
_DIFFERENCES = {"sub", "__sub__", "rsub", "__rsub__", "subtract"}
#: What makes a loss of such a difference.
_SIZES = {"pow", "__pow__", "square", "abs", "__abs__", "absolute", "norm", "mul", "__mul__"}

#: Functions that give the numbers that they are given.
_RESHAPES = {"squeeze", "unsqueeze", "view", "reshape", "flatten", "ravel"}

Override = Callable[[Operation, list, dict], Any]


class LossSite:
    """One call of a loss function in a program, or a difference between prediction and target that a loss is made of."""

    def __init__(self, operation: Operation, name: Optional[str], is_whole_loss: bool, place: int = 0) -> None:
        """
        :param name: of the loss function; None for a difference
        :param place: which argument the prediction is
        """
        self.operation = operation
        self.name = name
        self.kind = "values" if name is None else _KINDS[name]
        #: Whether the step's loss is what this call gives, with nothing added or scaled.
        self.is_whole_loss = is_whole_loss
        self.place = place
        #: Further terms of the loss that read the same prediction.
        self.also: list[LossSite] = []

    @property
    def alone(self) -> bool:
        """Whether a loss function is all that reads the prediction."""
        return self.name is not None and not self.also

    def also_replaced(self, prediction: torch.Tensor) -> "dict[int, Override]":
        """The further terms with another prediction, by operation."""

        def replaced(site: "LossSite") -> Override:
            def call(operation: Operation, args: list, kwargs: dict) -> Any:
                args, kwargs = site.with_prediction(prediction, args, kwargs)
                return operation.call(*args, **kwargs)

            return call

        return {site.operation.index: replaced(site) for site in self.also}

    @property
    def classifies(self) -> bool:
        return self.kind != "values"

    def prediction_and_target(self, args: list, kwargs: dict) -> tuple[torch.Tensor, torch.Tensor]:
        if self.name is None:
            return args[self.place], args[1 - self.place]
        prediction = args[0] if args else kwargs["input"]
        target = args[1] if len(args) > 1 else kwargs["target"]
        return prediction, target

    def with_prediction(self, prediction: torch.Tensor, args: list, kwargs: dict) -> tuple[list, dict]:
        if args:
            return [*args[: self.place], prediction, *args[self.place + 1 :]], kwargs
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
    Where the loss reads predictions: once, or once for each of several terms (gradient accumulation); what else of a term
    reads the same prediction goes with it. Empty when there is no such place, or when it cannot be told which of several
    is the prediction.
    """
    calls, differences = [], _differences(program)
    for operation in program.operations:
        name = _loss_name(operation)
        if name is not None:
            slot = operation.outputs[0][1] if operation.outputs else -1
            whole = program.term_slots == [slot] and program.terms[0].weights is None
            calls.append(LossSite(operation, name, whole))
    # Beside a loss function a difference of something else is a penalty.
    candidates = calls if calls else differences
    sites: list[LossSite] = []
    for term in program.terms:
        entries = {id(e) for e in term.entries}
        mine = [s for s in candidates if id(s.operation.entry) in entries]
        if not mine:
            continue
        # Of several that read one prediction, what tells classes says what the prediction is.
        first = next((s for s in mine if s.classifies), mine[0])
        read = _prediction_slot(first)
        rest = [s for s in calls + differences if s is not first and id(s.operation.entry) in entries]
        first.also = [s for s in rest if read is not None and _prediction_slot(s) == read]
        if any(s is not first and s not in first.also for s in mine):
            return []
        if first not in sites:
            sites.append(first)
    if len(sites) > 1 and (len(sites) != len(program.terms) or len({s.name for s in sites}) > 1):
        return []
    return sites


def judged(program: Program) -> list[tuple[Entry, Slot]]:
    """
    Every call of a loss function (without any, every difference that is squared) with the prediction that it judges, as
    far as that is made of weights and of data; a penalty's weights are none.
    """
    weights, data = _made_of(program)
    calls = [LossSite(o, name, False) for o in program.operations for name in [_loss_name(o)] if name is not None]
    found = []
    for site in calls or _differences(program):
        entry = site.operation.entry
        ref = entry.args[site.place] if entry.args else entry.kwargs.get("input")
        if isinstance(ref, Slot) and ref.index in weights and ref.index in data:
            found.append((entry, ref))
    return found


def given_at(program: Program, site: LossSite) -> Optional[list[Any]]:
    """PredictionPath of src/protocol/evaluator.ts: where in the model's output the loss finds its prediction."""
    slot = _prediction_slot(site)
    while slot is not None:
        made = next((e for e in program.entries if any(s == slot for _, s in e.outputs)), None)
        if made is None or any(s == slot for e in program.entries for _, s in e.mutated):
            return None
        if made.kind == "module" and next(made.func.parameters(), None) is not None:
            path = next(path for path, s in made.outputs if s == slot)
            return [list(step) for step in path] if all(isinstance(key, (str, int)) for _, key in path) else None
        # Another shape changes nothing in what is put together number by number.
        by_number = site.kind == "values" or site.kind.startswith("binary")
        first = made.args[0] if made.kind == "function" and made.args else None
        slot = first.index if by_number and made.name in _RESHAPES and isinstance(first, Slot) else None
    return None


def _prediction_slot(site: LossSite) -> Optional[int]:
    entry = site.operation.entry
    ref = entry.args[site.place] if entry.args else entry.kwargs.get("input")
    return ref.index if isinstance(ref, Slot) else None


def _differences(program: Program) -> list[LossSite]:
    """Predictions (made of weights and data) less targets (made of data alone) whose square or size is taken."""
    weights, data = _made_of(program)
    found = []
    for operation in program.operations:
        entry = operation.entry
        made = [slot for _, slot in (*entry.outputs, *entry.mutated)]
        if entry.kind != "function" or entry.name not in _DIFFERENCES or len(entry.args) != 2:
            continue
        predicted = [isinstance(r, Slot) and r.index in weights and r.index in data for r in entry.args]
        wanted = [_is_data(r, weights, data) for r in entry.args]
        for place in (0, 1):
            if predicted[place] and wanted[1 - place] and _is_sized(program, made):
                found.append(LossSite(operation, None, False, place))
    return found


def _made_of(program: Program) -> tuple[set[int], set[int]]:
    """Slots whose values depend on weights, and those that depend on data."""
    weights: set[int] = set()
    data: set[int] = set()
    for operation in program.operations:
        entry = operation.entry
        refs = list(tensors_in((entry.args, entry.kwargs)))
        slots = {r.index for r in refs if isinstance(r, Slot)}
        made = [slot for _, slot in (*entry.outputs, *entry.mutated)]
        trained = operation.module is not None and next(operation.module.parameters(), None) is not None
        if trained or any(isinstance(r, Live) for r in refs) or slots & weights:
            weights.update(made)
        if any(isinstance(r, Leaf) for r in refs) or slots & data:
            data.update(made)
    return weights, data


def _is_data(ref: Any, weights: set[int], data: set[int]) -> bool:
    if isinstance(ref, Leaf):
        return ref.tensor.dim() > 0
    return isinstance(ref, Slot) and ref.index in data and ref.index not in weights


def _is_sized(program: Program, made: list[int]) -> bool:
    def reads(entry: Entry) -> bool:
        if entry.name not in _SIZES or not entry.args:
            return False
        which = entry.args[:2] if "mul" in entry.name else entry.args[:1]
        return all(isinstance(r, Slot) and r.index in made for r in which)

    return any(reads(entry) for entry in program.entries)


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
