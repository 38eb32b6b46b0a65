"""
Products with the generalised Gauss–Newton matrix JᵀH_L J (Schraudolph 2002): J is the derivative of the predictions by
the parameters, H_L the Hessian of the loss by the predictions; by the logits where a likelihood of probabilities follows.

u ↦ Jᵀu is linear, so that the derivative of (Jᵀu)·v by u is J·v: double backward, without forward mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

import torch

from .differences import difference_step
from .errors import BasinError, cancelled
from .loss_site import LossSite
from .program import Batch, Operation, Program
from .questions import Cancelled, How, Vector
from .versions import exact_attention

if TYPE_CHECKING:
    from .evaluator import Evaluator


def gauss_newton_product(
    evaluator: "Evaluator", at: "Vector", direction: "Vector", how: "How", method: str, stop: "Cancelled"
) -> tuple[torch.Tensor, str, Optional[str]]:
    """
    (JᵀH_L J·direction, method, why it is no exact product).

    :raises BasinError: ``unsupported`` where predictions cannot be told apart from the loss, or ``exact`` is impossible
    """
    reason: Optional[str] = None
    if method != "finite-difference":
        try:
            return _product(evaluator, at, direction, how, stop, exact=True), "exact", None
        except RuntimeError as error:
            reason = f"an operation's gradient has no derivative: {str(error).splitlines()[0]}"
            if method == "exact":
                raise BasinError("unsupported", f"No exact product: {reason}.", "Ask for finite differences.") from error
    return _product(evaluator, at, direction, how, stop, exact=False), "finite-difference", reason


def _product(
    evaluator: "Evaluator", at: "Vector", direction: "Vector", how: "How", stop: "Cancelled", *, exact: bool
) -> torch.Tensor:
    batches = evaluator.selected(how)
    samples = sum(b.samples for b in batches)
    layout = evaluator.layout
    total = layout.zeros()
    pieces = [x.to(p.dtype) for x, p in zip(layout.split(direction.flat), layout.parameters)]
    h = difference_step(at.flat, direction.flat)
    if h is None:
        return total
    with evaluator._at(evaluator._involved(batches, how), at, grad=True, inference=how.inference), exact_attention():
        with torch.no_grad():
            evaluator._combine(at, [], [])
            if how.refresh:
                evaluator._refresh(at, how.samples if how.split == "train" else None, stop)

        def cut(batch: Batch) -> _Cut:
            evaluator._reset_state(batch, at, how)
            with torch.enable_grad():
                return _Cut(evaluator, batch, how.inference)

        def place(t: float) -> None:
            with torch.no_grad():
                evaluator._combine(at, [direction], [t])

        for batch in batches:
            if stop():
                raise cancelled()
            if exact:
                here = cut(batch)
                moved = here.forward(layout.parameters, pieces)
            else:
                found = []
                for sign in (1, -1):
                    place(sign * h)
                    found.append([p.detach() for p in cut(batch).predictions])
                place(0.0)
                here = cut(batch)
                moved = [(a - b) / (2 * h) for a, b in zip(*found)]
            gradients = here.backward(layout.parameters, here.bent(moved))
            with torch.no_grad():
                total.add_(layout.gather(gradients), alpha=batch.samples / samples)
    return total


class _Cut:
    """One batch's graph, cut at the predictions: from the parameters to them, and from stand-ins of them to the loss."""

    def __init__(self, evaluator: "Evaluator", batch: Batch, inference: bool) -> None:
        self.predictions: list[torch.Tensor] = []
        #: leaves in place of the predictions, or of the logits that they stand for
        self.stand_ins: list[torch.Tensor] = []
        #: derivative of the stand-in by the prediction, elementwise; None for one
        self.scales: list[Optional[torch.Tensor]] = []
        program = batch.program
        values = program.run(batch, grad=True, inference=inference, overrides=self._overrides(evaluator, program))
        self.loss = program.loss_of(values)
        if not self.predictions:
            raise _no_predictions()

    def _overrides(self, evaluator: "Evaluator", program: Program) -> dict[int, Callable[[Operation, list, dict], Any]]:
        sites = evaluator.sites(program)
        if sites and all(site.alone for site in sites):
            return {site.operation.index: self._at_site(site) for site in sites}
        calls = [o for o in program.operations if o.module is not None]
        if len(calls) != 1 or [path for path, _ in calls[0].outputs] not in ([()], [[]]):
            raise _no_predictions()
        return {calls[0].index: self._at_module}

    def _at_site(self, site: LossSite) -> Callable[[Operation, list, dict], Any]:
        def call(operation: Operation, args: list, kwargs: dict) -> Any:
            prediction, _ = site.prediction_and_target(args, kwargs)
            args, kwargs = site.with_prediction(self._cut(prediction, site.kind), args, kwargs)
            return operation.call(*args, **kwargs)

        return call

    def _at_module(self, operation: Operation, args: list, kwargs: dict) -> Any:
        out = operation.call(*args, **kwargs)
        if not isinstance(out, torch.Tensor) or not out.is_floating_point() or out.dim() == 0:
            raise _no_predictions()
        with torch.no_grad():
            logs = out.dim() > 1 and out.shape[-1] > 1 and bool((out.double().logsumexp(-1).abs() < 1e-4).all())
        return self._cut(out, "last-log-probabilities" if logs else "values")

    def _cut(self, prediction: torch.Tensor, kind: str) -> torch.Tensor:
        """Notes a prediction; the tensor that the loss goes on with."""
        value = prediction.detach()
        scale: Optional[torch.Tensor] = None
        if kind == "binary-probabilities":
            # At the logits: z = log p/(1 − p), dz/dp = 1/(p(1 − p)); where p has rounded to 0 or 1 nothing is left to move.
            spread = value * (1 - value)
            scale = torch.where(spread > 0, 1 / spread, torch.zeros_like(spread))
            tiny = torch.finfo(value.dtype).eps
            value = torch.logit(value.clamp(tiny, 1 - tiny))
        stand_in = value.clone().requires_grad_()
        self.predictions.append(prediction)
        self.stand_ins.append(stand_in)
        self.scales.append(scale)
        if kind == "binary-probabilities":
            return torch.sigmoid(stand_in)
        # A likelihood is linear in log-probabilities: all of its curvature is in their normalisation. They are logits
        # themselves, and normalised again they are what they were.
        if kind == "log-probabilities":
            return torch.log_softmax(stand_in, 1 if stand_in.dim() > 1 else 0)
        if kind == "last-log-probabilities":
            return torch.log_softmax(stand_in, -1)
        return stand_in

    def _scaled(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        return [t if s is None else t * s for t, s in zip(tensors, self.scales)]

    def forward(self, parameters: list[torch.Tensor], v: list[torch.Tensor]) -> list[torch.Tensor]:
        """J·v, by predictions."""
        live = [p for p in self.predictions if p.requires_grad]
        if not live:
            return [torch.zeros_like(p) for p in self.predictions]
        # Its value is of no account: what is differentiated is linear in it.
        u = [torch.zeros_like(p).requires_grad_() for p in live]
        with torch.enable_grad():
            pulled = torch.autograd.grad(live, parameters, grad_outputs=u, create_graph=True, allow_unused=True)
            pairs = [(g, x) for g, x in zip(pulled, v) if g is not None and g.requires_grad]
            if not pairs:
                return [torch.zeros_like(p) for p in self.predictions]
            pushed = torch.autograd.grad(
                [g for g, _ in pairs],
                u,
                grad_outputs=[x.to(g.dtype) for g, x in pairs],
                allow_unused=True,
                retain_graph=True,
            )
        by_prediction = {id(p): d for p, d in zip(live, pushed) if d is not None}
        return [by_prediction.get(id(p), torch.zeros_like(p)).detach() for p in self.predictions]

    def bent(self, moved: list[torch.Tensor]) -> list[torch.Tensor]:
        """H_L times how the predictions move, as what their gradients would be."""
        moved = self._scaled(moved)
        nothing = [torch.zeros_like(p) for p in self.predictions]
        if not self.loss.requires_grad:
            return nothing
        with torch.enable_grad():
            gradients = torch.autograd.grad(self.loss, self.stand_ins, create_graph=True, allow_unused=True)
            # Of a loss that is linear in its predictions (absolute errors) nothing can be differentiated.
            pairs = [(g, a) for g, a in zip(gradients, moved) if g is not None and g.requires_grad]
            if not pairs:
                return nothing
            products = torch.autograd.grad(
                [g for g, _ in pairs], self.stand_ins, grad_outputs=[a for _, a in pairs], allow_unused=True
            )
        return self._scaled([n if p is None else p.detach() for p, n in zip(products, nothing)])

    def backward(self, parameters: list[torch.Tensor], u: list[torch.Tensor]) -> "list[Optional[torch.Tensor]]":
        """Jᵀ·u."""
        pairs = [(p, x) for p, x in zip(self.predictions, u) if p.requires_grad]
        if not pairs:
            return [None for _ in parameters]
        return list(
            torch.autograd.grad(
                [p for p, _ in pairs], parameters, grad_outputs=[x.to(p.dtype) for p, x in pairs], allow_unused=True
            )
        )


def _no_predictions() -> BasinError:
    return BasinError(
        "unsupported",
        "This loss has no Gauss–Newton matrix: its predictions cannot be told apart from the loss itself.",
        "Compute the loss outside of the model, with one of torch's loss functions; or ask for the Hessian.",
    )
