"""
A layer that reads data is linear in its weights: its output at θ + Σ cᵢ·dᵢ is that at θ plus Σ cᵢ times those at the
directions. These are computed once for all points of a plane, and what is left of a pass begins behind such layers.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from torch import nn

from .measuring import fastest, same_loss
from .program import Batch
from .questions import Vector

if TYPE_CHECKING:
    from .evaluator import Evaluator

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
#: What all outputs of one plane may take.
_MOST_BYTES = 1 << 28
#: Points asked for on a plane before its outputs are computed, which costs as much as three passes of the layers.
_FEWEST_POINTS = 6
#: It has to be this much faster.
_WORTH = 0.95

#: Of one point: cᵢ; of one among several (``torch.func.vmap``): a vector (1, c₁, c₂, …).
Coefficients = Union[Sequence[float], torch.Tensor]


class FirstLayer:
    """One such layer, with what it reads of each batch."""

    __slots__ = ("module", "weight", "bias", "inputs")

    def __init__(self, module: Any, weight: int, bias: Optional[int]) -> None:
        self.module = module
        #: places in the layout
        self.weight = weight
        self.bias = bias
        self.inputs: list[torch.Tensor] = []

    def output(self, x: torch.Tensor, pieces: list[torch.Tensor]) -> torch.Tensor:
        """At the weights of a vector, split by parameters."""
        weight, bias = pieces[self.weight], None if self.bias is None else pieces[self.bias]
        if isinstance(self.module, nn.Linear):
            return F.linear(x, weight, bias)
        return self.module._conv_forward(x, weight, bias)


class Plane:
    """What the first layers give over the span of some directions."""

    def __init__(self, layers: list[FirstLayer], vectors: "list[Vector]", pieces: list[list[torch.Tensor]]) -> None:
        """
        :param vectors: origin and directions
        :param pieces: the same by parameters
        """
        self.layers = layers
        self.vectors = vectors
        #: by batch and layer: [1 + directions, …]
        self.outputs = [
            [torch.stack([layer.output(layer.inputs[i], p) for p in pieces]) for layer in layers]
            for i in range(len(layers[0].inputs))
        ]

    def spans(self, layers: list[FirstLayer], vectors: "list[Vector]") -> bool:
        """Vectors are never changed once made, so that being the same is being equal."""
        same = len(vectors) == len(self.vectors) and all(a is b for a, b in zip(vectors, self.vectors))
        return same and layers is self.layers

    @contextlib.contextmanager
    def at(self, batch: int, coefficients: Coefficients) -> Iterator[None]:
        """While it lasts, the layers give what they would at this point."""
        try:
            for layer, outputs in zip(self.layers, self.outputs[batch]):
                layer.module.__dict__["forward"] = _combination(outputs, coefficients)
            yield
        finally:
            for layer in self.layers:
                layer.module.__dict__.pop("forward", None)


def _combination(outputs: torch.Tensor, coefficients: Coefficients) -> Any:
    def forward(x: torch.Tensor) -> torch.Tensor:
        if isinstance(coefficients, torch.Tensor):
            return torch.tensordot(coefficients, outputs, 1)
        out = torch.add(outputs[0], outputs[1], alpha=coefficients[0])
        for c, direction in zip(coefficients[1:], outputs[2:]):
            out.add_(direction, alpha=c)
        return out

    return forward


class FirstLayers:
    """Which layers of a loss are such, decided once for each set of batches; and the plane that was asked for last."""

    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self._layers: dict[tuple, list[FirstLayer]] = {}
        self._plane: Optional[Plane] = None
        self._asked: "tuple[list[Vector], int]" = ([], 0)

    def plane(self, feeds: list[Batch], origin: "Vector", directions: "list[Vector]", points: int) -> Optional[Plane]:
        """
        The plane's outputs; None where there are no such layers, it is not faster with them, or too few points were
        asked for so far. Inside of a session in inference mode.
        """
        key = tuple(id(b) for b in feeds)
        if key not in self._layers:
            self._layers[key] = self._choose(feeds, origin)
        layers = self._layers[key]
        vectors = [origin, *directions]
        if not layers:
            return None
        if self._plane is not None and self._plane.spans(layers, vectors):
            return self._plane
        known, count = self._asked
        again = len(known) == len(vectors) and all(a is b for a, b in zip(known, vectors))
        self._asked = (vectors, points + (count if again else 0))
        if self._asked[1] < _FEWEST_POINTS:
            return None
        self._plane = self.over(layers, vectors)
        return self._plane

    def over(self, layers: list[FirstLayer], vectors: "list[Vector]") -> Plane:
        """Computes the outputs."""
        split = [self.evaluator.layout.split(v.flat) for v in vectors]
        return Plane(layers, vectors, [self.evaluator.scratch.formatted(pieces) for pieces in split])

    # ---- choosing -------------------------------------------------------------------------------------------------
    def _choose(self, feeds: list[Batch], origin: "Vector") -> list[FirstLayer]:
        evaluator = self.evaluator
        programs = {id(b.program): b.program for b in feeds}
        if len(programs) > 1 or not evaluator.layout.direct or feeds[0].program.needs_grad:
            return []
        if feeds[0].program.changed_leaves or any(e.autocast for e in feeds[0].program.entries):
            return []
        try:
            layers = self._find(feeds)
            return layers if layers and self._pays(layers, feeds, origin) else []
        except Exception:  # the model does not stand being looked at: it is evaluated as it is
            return []

    def _find(self, feeds: list[Batch]) -> list[FirstLayer]:
        """Layers that are called once, on something that autograd and trying say does not depend on weights."""
        evaluator = self.evaluator
        place = {id(p): i for i, p in enumerate(evaluator.layout.parameters)}
        candidates: dict[int, FirstLayer] = {}
        for root in feeds[0].program.modules:
            for module in root.modules():
                if type(module) is not nn.Linear and type(module) not in _CONVOLUTIONS or "forward" in module.__dict__:
                    continue
                weight, bias = place.get(id(module.weight)), None if module.bias is None else place.get(id(module.bias))
                if weight is not None and (module.bias is None or bias is not None):
                    candidates[id(module)] = FirstLayer(module, weight, bias)
        seen: dict[int, list[torch.Tensor]] = {key: [] for key in candidates}

        def look(module: nn.Module, args: tuple) -> None:
            seen[id(module)].append(args[0])

        hooks = [layer.module.register_forward_pre_hook(look) for layer in candidates.values()]
        try:
            # Autograd tells what depends on weights.
            with torch.inference_mode(False), torch.enable_grad():
                feeds[0].program.run(feeds[0], grad=True, inference=True)
            traced = {key: x[0].detach() for key, x in seen.items() if len(x) == 1 and not x[0].requires_grad}
            for feed in feeds:
                for key in seen:
                    seen[key] = []
                evaluator.one_pass(feed)
                for key in [k for k in traced if len(seen[k]) != 1]:
                    del traced[key]
                for key in traced:
                    candidates[key].inputs.append(seen[key][0])
        finally:
            for hook in hooks:
                hook.remove()
        return [
            layer
            for key, layer in candidates.items()
            if key in traced and torch.equal(layer.inputs[0], traced[key]) and layer.inputs[0].dtype == layer.module.weight.dtype
        ]

    def _pays(self, layers: list[FirstLayer], feeds: list[Batch], origin: "Vector") -> bool:
        """Whether it gives the same losses, and sooner."""
        evaluator = self.evaluator
        points = trial_points(evaluator, origin)
        directions = [evaluator.vector(p - origin.flat) for p in points]
        plain, plain_seconds = fastest(lambda: [self._loss(feeds, flat) for flat in points], 2)
        plane = self.over(layers, [origin, *directions])
        size = sum(t.numel() * t.element_size() for outputs in plane.outputs for t in outputs)
        if size > _MOST_BYTES:
            return False
        corners = [[1.0 if i == j else 0.0 for i in range(len(points))] for j in range(len(points))]

        def over_plane() -> list[float]:
            return [self._loss(feeds, flat, plane, c) for flat, c in zip(points, corners)]

        found, seconds = fastest(over_plane, 2)
        return all(same_loss(a, b) for a, b in zip(found, plain)) and seconds < _WORTH * plain_seconds

    def _loss(
        self, feeds: list[Batch], flat: torch.Tensor, plane: Optional[Plane] = None, point: Sequence[float] = ()
    ) -> float:
        evaluator = self.evaluator
        evaluator.scratch.flat.copy_(flat)
        evaluator.scratch.loaded()
        return evaluator.mean_of(feeds, [loss for loss, _ in evaluator.passes(feeds, plane, list(point))])


def trial_points(evaluator: "Evaluator", origin: "Vector") -> list[torch.Tensor]:
    """Two points that differ from the origin in every weight: one that was overlooked gives another loss."""
    layout = evaluator.layout
    shift = layout.gather([torch.full_like(p, 1e-2) for p in layout.parameters])
    return [origin.flat * 0.97 + shift, origin.flat * 1.04 - shift]
