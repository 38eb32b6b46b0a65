"""One number a sample: loss, output margin, confidence, correctness, and the margin's gradient by the input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional, Union

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from .errors import cancelled
from .feeds import cut
from .loss_site import LossSite, given_at
from .program import Batch, Operation, Program
from .questions import Cancelled, How, Vector

if TYPE_CHECKING:
    from .evaluator import Evaluator

#: How far the mean of single samples' losses may be from the batch's for them to be the parts of it, in float32.
_SAME = 1e-4

#: More numbers than this are not sent: they would be no small answer any more.
_MOST_NUMBERS = 4_000_000

_SEVERAL = "Each sample has several answers."
_NO_PREDICTIONS = "The predictions cannot be told apart from the loss, so there are no margins."


def sample_values(
    evaluator: "Evaluator",
    members: "list[Vector]",
    how: "How",
    input_gradient: bool,
    combine: Optional[str],
    stop: "Cancelled",
) -> dict[str, Any]:
    """
    SampleValues of src/protocol/evaluator.ts, in the split's order; of several members for their ensemble.

    :raises BasinError: ``unsupported`` where several members cannot be averaged, ``bad-input`` where not so
    """
    batches = evaluator.selected(how)
    last = members[-1]
    replaced: Optional[list[list[torch.Tensor]]] = None
    if len(members) > 1:
        found = evaluator.predictions(members, batches, how, stop)
        replaced = [
            [site.average(p, combine) for site, p in zip(evaluator.sites(batch.program), by_site)]
            for batch, by_site in zip(batches, found)
        ]
    alone = replaced is None
    columns: dict[str, Optional[list[Any]]] = {
        key: [] for key in ("loss", "margin", "confidence", "correct", "inputGradientNorm")
    }
    reasons: dict[str, None] = {}

    def add(key: str, values: Union[torch.Tensor, str, None]) -> None:
        if isinstance(values, str):
            reasons[values] = None
        column = columns[key]
        if column is None or values is None or isinstance(values, str):
            columns[key] = None
        else:
            column.extend(values.detach().cpu().tolist())

    wanted = input_gradient and alone
    with evaluator.placed_at(evaluator._involved(batches, how), last, how, grad=wanted):
        if how.refresh:
            with torch.no_grad():
                evaluator._refresh(last, None, stop)
        for i, batch in enumerate(batches):
            if stop():
                raise cancelled()
            one = _Batch(evaluator, last, how, batch, None if replaced is None else replaced[i], wanted)
            add("loss", one.losses(stop))
            classes = one.classes()
            if isinstance(classes, str):
                for key in ("margin", "confidence", "correct"):
                    add(key, classes)
                columns["inputGradientNorm"] = None
                continue
            scores, labels = classes
            margin = _margin(scores, labels)
            add("margin", margin)
            add("confidence", scores.detach().softmax(1).amax(1))
            add("correct", (scores.detach().argmax(1) == labels).long())
            if not input_gradient:
                add("inputGradientNorm", None)
            elif not alone:
                add("inputGradientNorm", "The input's gradient is that of one model, not of an ensemble.")
            else:
                add("inputGradientNorm", one.input_gradient_norms(margin))
    return {**columns, "reason": " ".join(reasons) if reasons else None}


def predicted_rows(evaluator: "Evaluator", vector: "Vector", how: "How", stop: "Cancelled") -> dict[str, Any]:
    """Predictions of src/protocol/evaluator.ts, in the split's order."""
    batches = evaluator.selected(how)
    rows: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []
    kinds: set[str] = set()
    with evaluator.placed_at(evaluator._involved(batches, how), vector, how):
        if how.refresh:
            evaluator._refresh(vector, None, stop)
        for batch in batches:
            if stop():
                raise cancelled()
            found = _Batch(evaluator, vector, how, batch, None, False).rows()
            if isinstance(found, str):
                return _no_rows(found, batch.program, evaluator.sites(batch.program))
            kinds.add(found[0])
            if sum(r.numel() for r in rows) + found[1].numel() > _MOST_NUMBERS:
                return _no_rows(
                    f"There are too many classes: {found[1].shape[1]} for each sample.",
                    batch.program,
                    evaluator.sites(batch.program),
                )
            rows.append(found[1].detach().cpu())
            targets.append(found[2].detach().cpu())
    if len(kinds) != 1 or len({r.shape[1] for r in rows}) != 1:
        program = batches[0].program
        return _no_rows("Its batches have predictions of different widths.", program, evaluator.sites(program))
    values = torch.cat(rows)
    return {
        "kind": kinds.pop(),
        "form": evaluator.sites(batches[0].program)[0].kind,
        "path": given_at(batches[0].program, evaluator.sites(batches[0].program)[0]),
        "samples": values.shape[0],
        "width": values.shape[1],
        "values": values.reshape(-1).tolist(),
        "targets": torch.cat(targets).reshape(-1).tolist(),
        "reason": None,
    }


def _no_rows(reason: str, program: Program, sites: list[LossSite]) -> dict[str, Any]:
    """What kind of thing is predicted is known without rows, too: an ensemble's file needs no more."""
    form = sites[0].kind if sites else None
    path = given_at(program, sites[0]) if sites else None
    return {"kind": None, "form": form, "path": path, "samples": 0, "width": 0, "values": [], "targets": [], "reason": reason}


class _Batch:
    """One batch's run, and what the loss function was given in it."""

    def __init__(
        self,
        evaluator: "Evaluator",
        vector: "Vector",
        how: "How",
        batch: Batch,
        replaced: Optional[list[torch.Tensor]],
        grad: bool,
    ) -> None:
        self.evaluator = evaluator
        self.vector = vector
        self.how = how
        self.batch = batch
        self.program: Program = batch.program
        self.sites = evaluator.sites(self.program)
        self.replaced = replaced
        self.predictions: list[torch.Tensor] = []
        self.targets: list[torch.Tensor] = []
        self.singles: Optional[torch.Tensor] = None
        self.inputs: list[int] = []
        #: of the predictions' type: in half precision a batch's loss is no more exact than this
        self.rounding = 0.0
        if grad:
            self.inputs = [
                i
                for i, t in enumerate(batch.leaves)
                if self.program.rows_are_samples
                and t.is_floating_point()
                and t.dim() > 0
                and t.shape[0] == batch.samples
            ]
            # What the probe keeps stays as it is: the run makes leaves of its own of these.
            leaves = [
                t.detach().requires_grad_() if i in self.inputs else t.detach() for i, t in enumerate(batch.leaves)
            ]
            batch = replace(batch, leaves=leaves)
        with torch.set_grad_enabled(grad or self.program.needs_grad):
            self.values, self.value = self._run(batch, replaced, note=True)

    def _run(self, batch: Batch, replaced: Optional[list[torch.Tensor]], note: bool) -> tuple[Any, float]:
        self.evaluator._reset_state(self.batch, self.vector, self.how)
        overrides = {s.operation.index: self._watch(i, s, replaced, note) for i, s in enumerate(self.sites)}
        if replaced is not None:
            for site, prediction in zip(self.sites, replaced):
                overrides.update(site.also_replaced(prediction))
        grad = torch.is_grad_enabled()
        values = self.program.run(batch, grad=grad, inference=self.how.inference, overrides=overrides or None)
        return values, float(self.program.loss_of(values).detach().double())

    def _watch(self, i: int, site: LossSite, replaced: Optional[list[torch.Tensor]], note: bool) -> Any:
        def call(operation: Operation, args: list, kwargs: dict) -> Any:
            if replaced is not None:
                args, kwargs = site.with_prediction(replaced[i], args, kwargs)
            if note:
                prediction, target = site.prediction_and_target(args, kwargs)
                self.predictions.append(prediction)
                self.targets.append(target)
                if prediction.is_floating_point():
                    self.rounding = max(self.rounding, torch.finfo(prediction.dtype).eps)
                if site.is_whole_loss:
                    with torch.no_grad():
                        self.singles = site.unreduced(args, kwargs, self.batch.samples)
            return operation.call(*args, **kwargs)

        return call

    def losses(self, stop: "Cancelled") -> Union[torch.Tensor, str]:
        """From the loss function without its mean; else the program's value on each sample alone, where that is a part of the whole."""
        if self.singles is not None:
            if self._are_parts(self.singles.mean()):
                return self.singles
            return "The loss is not the mean over its samples."
        alone = cut([self.batch], 1)
        if alone is None or len(alone) != self.batch.samples or (self.replaced is not None and len(self.replaced) != 1):
            return "The batch cannot be cut into its samples."
        found = []
        with torch.set_grad_enabled(self.program.needs_grad):
            try:
                for i, one in enumerate(alone):
                    if stop():
                        raise cancelled()
                    replaced = None if self.replaced is None else [self.replaced[0][i : i + 1]]
                    found.append(self._run(one, replaced, note=False)[1])
            except (RuntimeError, ValueError, IndexError):
                return "The loss cannot be computed on one sample alone."
        values = torch.tensor(found, dtype=torch.float64)
        return values if self._are_parts(values.mean()) else "The loss is not the mean of what it is on each sample alone."

    def _are_parts(self, mean: torch.Tensor) -> bool:
        same = max(_SAME, 2 * self.rounding)
        return not (abs(float(mean) - self.value) > same * max(1e-6, abs(self.value)))

    def classes(self) -> Union[tuple[torch.Tensor, torch.Tensor], str]:
        """(scores of the classes up to a constant, samples × classes; labels), or why there are none."""
        if not self.predictions:
            return _NO_PREDICTIONS
        kinds = {site.kind for site in self.sites}
        if kinds == {"values"}:
            return "The loss has no classes."
        found = [_classes(s.kind, p, t) for s, p, t in zip(self.sites, self.predictions, self.targets)]
        wrong = [x for x in found if isinstance(x, str)]
        if wrong:
            return wrong[0]
        pairs = [x for x in found if not isinstance(x, str)]
        scores, labels = torch.cat([s for s, _ in pairs]), torch.cat([y for _, y in pairs])
        return (scores, labels) if len(labels) == self.batch.samples else _SEVERAL

    def rows(self) -> Union[tuple[str, torch.Tensor, torch.Tensor], str]:
        """(kind, rows of log-probabilities or values, labels or rows of values), or why there are none."""
        classes = self.classes()
        if not isinstance(classes, str):
            return "classes", classes[0].log_softmax(1), classes[1]
        if {site.kind for site in self.sites} != {"values"} or not self.predictions:
            return classes
        samples = self.batch.samples
        if any(p.shape != t.shape or p.numel() % samples for p, t in zip(self.predictions, self.targets)):
            return "What is predicted and what it should be have different shapes."
        if sum(p.shape[0] if p.dim() else 1 for p in self.predictions) != samples:
            return _SEVERAL
        predicted = torch.cat([p.double().reshape(p.shape[0] if p.dim() else 1, -1) for p in self.predictions])
        wanted = torch.cat([t.double().reshape(t.shape[0] if t.dim() else 1, -1) for t in self.targets])
        return "values", predicted, wanted

    def input_gradient_norms(self, margin: torch.Tensor) -> Union[torch.Tensor, str]:
        for module, flag in self.program.training:
            if isinstance(module, _BatchNorm) and ((flag and not self.how.inference) or module.running_mean is None):
                return "Batch norm mixes the samples of a batch when it is evaluated as trained, so no input has a gradient of its own."
        leaves = [self.values.leaves[i] for i in self.inputs]
        if not leaves or not margin.requires_grad:
            return "The input has no gradient: it is not made of real numbers, or not one row a sample."
        with torch.enable_grad():
            gradients = torch.autograd.grad(margin.sum(), leaves, allow_unused=True)
        squares = [g.double().reshape(self.batch.samples, -1).pow(2).sum(1) for g in gradients if g is not None]
        if not squares:
            return "The margin does not depend on the input by a derivative."
        return torch.stack(squares).sum(0).sqrt()


def _classes(kind: str, prediction: torch.Tensor, target: torch.Tensor) -> Union[tuple[torch.Tensor, torch.Tensor], str]:
    if kind.startswith("binary"):
        if not bool(((target == 0) | (target == 1)).all()):
            return "The labels are shares, not classes."
        if prediction.numel() != (prediction.shape[0] if prediction.dim() else 1):
            return _SEVERAL
        z = prediction.reshape(-1).double()
        if kind == "binary-probabilities":
            z = torch.log(z) - torch.log1p(-z)
        return torch.stack([torch.zeros_like(z), z], 1), target.reshape(-1).long()
    if prediction.dim() != 2:
        return _SEVERAL
    labels = target.argmax(1) if target.is_floating_point() else target
    if labels.dim() != 1 or prediction.shape[1] < 2:
        return _SEVERAL
    if bool(((labels < 0) | (labels >= prediction.shape[1])).any()):
        return "Some samples have no label."
    return prediction.double(), labels


def _margin(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Score of the label less the largest other."""
    mine = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, labels[:, None], True)
    return scores[mine] - scores.masked_fill(mine, -float("inf")).amax(1)
