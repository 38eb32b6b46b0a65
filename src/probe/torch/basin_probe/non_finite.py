"""Where NaN or Infinity began. Looked up once it was seen, so it may take the time of a step."""

from __future__ import annotations

from collections import deque
from typing import Any, Iterable, Optional

import torch

from .naming import Named

#: Nodes of a loss's graph that are looked at.
_MOST_NODES = 50_000
_SAVED = "_saved_"
#: Activations that give finite values for finite ones: what they give that is not came in.
_PASSING = {"Relu", "LeakyRelu", "Tanh", "Sigmoid", "Gelu", "Silu", "Elu", "Softplus", "Hardtanh", "Threshold", "Mish"}


class HookWatch:
    """
    Whether the script has packed saved tensors by hooks of its own (checkpointing, offloading). Reading such a tensor
    runs those hooks, and checkpointing's may run only once: then no graph is looked at.
    """

    def __init__(self) -> None:
        self.seen = False

    def install(self) -> None:
        hooks = getattr(torch.autograd.graph, "saved_tensors_hooks", None)
        if hooks is None:
            return
        enter = hooks.__enter__
        watch = self

        def entered(self: Any) -> Any:
            watch.seen = True
            return enter(self)

        hooks.__enter__ = entered


class Origin:
    """What gave a loss that is not finite: the operation, and the nearest parameter that it depends on."""

    def __init__(self, operation: Optional[str], parameter: Optional[torch.Tensor], came_in: bool = False) -> None:
        """:param came_in: the operation was given it, by the data or a constant"""
        self.operation = operation
        self.parameter = parameter
        self.came_in = came_in

    def event(self, named: list[Named], step: int) -> dict[str, Any]:
        owner = next((n for n in named if n.tensor is self.parameter), None)
        place = None if owner is None else {"parameter": owner.name if owner.layer is None else None, "layer": owner.layer}
        return {
            "what": "forward",
            "began": step,
            "parameters": 0,
            "first": place,
            "last": place,
            "operation": self.operation,
            **({"cameIn": True} if self.came_in else {}),
        }


def origin_in_forward(loss: torch.Tensor) -> Origin:
    """
    The first operation of the forward pass whose output is not finite, from what the loss's graph has kept for its
    backward pass. Call before that pass, which frees it. Nothing is computed again.
    """
    root = loss.grad_fn
    if root is None:
        return Origin(None, None)
    for node in _inputs_first(root):
        found = _not_finite(node)
        if found is None:
            continue
        name, value = found
        made = node
        given = name.startswith(_SAVED + "result")
        if not given or _operation(node) in _PASSING:
            if not given and not value.requires_grad and not name.startswith(_SAVED + "running"):
                return Origin(_operation(node), _nearest_parameter(node), came_in=True)
            # It came in: what gave it is the operation before, or it is data. A saved input names what it comes from.
            source = None if given else value.grad_fn
            before = [n for n, _ in node.next_functions if n is not None and not _only_weights(n)]
            made = source or (before[0] if before else node)
        return Origin(_operation(made), _nearest_parameter(made))
    return Origin(_operation(root), _nearest_parameter(root))


class Backward:
    """What a step's gradients have come from, for whoever asks where NaN in them began; kept while someone does."""

    def __init__(self) -> None:
        self._roots: list[Any] = []
        #: as they were before they were scaled together, which gives NaN to all of them
        self.before_clipping: Optional[dict[str, Any]] = None

    def passed(self, losses: Iterable[torch.Tensor]) -> None:
        """Their backward pass is over; what the graph had kept for it is free, its order is not."""
        self._roots += [t.grad_fn for t in losses if t.grad_fn is not None]

    def clips(self, named: list[Named]) -> None:
        self.before_clipping = self.before_clipping or parameters_not_finite(named, _gradients(named), self)

    def clear(self) -> None:
        self._roots, self.before_clipping = [], None

    def places(self) -> dict[int, int]:
        """Of each parameter, by id: that of the operation that takes it, in an order of the forward pass."""
        places: dict[int, int] = {}
        at = 0
        for root in self._roots:
            for node in _inputs_first(root):
                at += 1
                for child, _ in node.next_functions:
                    while child is not None and not hasattr(child, "variable") and _only_weights(child):
                        child = child.next_functions[0][0]
                    if isinstance(getattr(child, "variable", None), torch.Tensor):
                        places[id(child.variable)] = at
        return places


def _gradients(named: list[Named]) -> list[Optional[torch.Tensor]]:
    return [n.tensor.grad for n in named]


def gradients_not_finite(named: list[Named], backward: Backward) -> Optional[dict[str, Any]]:
    """Like :func:`parameters_not_finite` of the gradients, from the first to the last of the forward pass where that is known."""
    return backward.before_clipping or parameters_not_finite(named, _gradients(named), backward)


def parameters_not_finite(
    named: list[Named], tensors: Iterable[Optional[torch.Tensor]], backward: Optional[Backward] = None
) -> Optional[dict[str, Any]]:
    """The parameters among these tensors that are not finite; None when all are."""
    found = [n for n, t in zip(named, tensors) if t is not None and not _is_finite(t)]
    if not found:
        return None
    places = {} if backward is None else backward.places()
    if all(id(n.tensor) in places for n in found):
        found.sort(key=lambda n: places[id(n.tensor)])
    first, last = ({"parameter": n.name, "layer": n.layer} for n in (found[0], found[-1]))
    return {"parameters": len(found), "first": first, "last": last}


def _is_finite(tensor: torch.Tensor) -> bool:
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _inputs_first(root: Any) -> list[Any]:
    """Nodes of the graph, each behind those that it depends on: an order of the forward pass."""
    order: list[Any] = []
    seen = {root}
    stack: list[tuple[Any, int]] = [(root, 0)]
    while stack and len(seen) < _MOST_NODES:
        node, i = stack.pop()
        functions = node.next_functions
        if i == len(functions):
            order.append(node)
            continue
        stack.append((node, i + 1))
        child = functions[i][0]
        if child is not None and child not in seen:
            seen.add(child)
            stack.append((child, 0))
    return order


def _not_finite(node: Any) -> Optional[tuple[str, torch.Tensor]]:
    """A saved tensor that is not finite, with its name; what a node gives comes before what it takes."""
    names = sorted((n for n in dir(node) if n.startswith(_SAVED)), key=lambda n: not n.startswith(_SAVED + "result"))
    for name in names:
        try:
            value = getattr(node, name)
        except RuntimeError:  # freed already: a second pass over this part of the graph
            continue
        if isinstance(value, torch.Tensor) and not _is_finite(value):
            return name, value
    return None


def _only_weights(node: Any) -> bool:
    """A parameter, or one that is transposed or the like: weights are known to be finite."""
    if hasattr(node, "variable"):
        return True
    inputs = [n for n, _ in node.next_functions if n is not None]
    return len(inputs) > 0 and all(hasattr(n, "variable") for n in inputs) and len(node.next_functions) == 1


def _operation(node: Any) -> str:
    return str(node.name()).split("Backward")[0]


def _nearest_parameter(node: Any) -> Optional[torch.Tensor]:
    queue = deque([node])
    seen = {node}
    while queue and len(seen) < _MOST_NODES:
        here = queue.popleft()
        variable = getattr(here, "variable", None)
        if isinstance(variable, torch.Tensor):
            return variable
        for child, _ in here.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                queue.append(child)
    return None
