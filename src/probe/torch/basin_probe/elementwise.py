"""Vectors changed element by element or parameter by parameter: functions, restriction to parameters, normalisation."""

from __future__ import annotations

import math
from typing import Any, Callable, Optional, Sequence

import torch

from .errors import BasinError
from .naming import Named, filter_axis, role
from .objective import Objective

_OF_ONE: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "absolute": lambda a, _: a.abs(),
    "root": lambda a, _: a.abs().sqrt(),
    "sign": lambda a, _: a.sign().where(~a.isnan(), a),
    "add": lambda a, constant: a + constant,
}
_OF_TWO: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: (a / b).where(b != 0, torch.zeros_like(a)),
    "clip": lambda a, b: torch.minimum(torch.maximum(a, -b.abs()), b.abs()),
}


def elementwise(objective: Objective, name: str, operands: Sequence[torch.Tensor], constant: Any) -> torch.Tensor:
    """
    A new flat vector: the request ``elementwise`` of src/protocol/evaluator.ts.

    :raises BasinError: ``bad-input`` for another function, a wrong number of operands, or no constant to add
    """
    one, two = _OF_ONE.get(name), _OF_TWO.get(name)
    if one is None and two is None:
        known = ", ".join([*_OF_ONE, *_OF_TWO])
        raise BasinError("bad-input", f"There is no elementwise function {name!r}.", f"There are {known}.")
    if len(operands) != (2 if one is None else 1):
        wanted = "two vectors" if one is None else "one vector"
        raise BasinError("bad-input", f"The elementwise function {name!r} takes {wanted}.")
    if name == "add" and (isinstance(constant, bool) or not isinstance(constant, (int, float))):
        raise BasinError("bad-input", "The elementwise function 'add' needs a constant.")
    number = float(constant) if name == "add" else math.nan
    layout = objective.layout
    split = [layout.split(x) for x in operands]
    with torch.no_grad():
        # Parameter by parameter: what lies between them must stay zero.
        if one is not None:
            return layout.gather([one(a, number) for a in split[0]])
        assert two is not None
        return layout.gather([two(a, b) for a, b in zip(*split)])


def restrict(objective: Objective, flat: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
    """
    The named parameters, and zero elsewhere.

    :raises BasinError: ``bad-input`` for a name that the objective does not have
    """
    known = [named.name for named in objective.named]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise BasinError("bad-input", f'This objective has no parameter "{unknown[0]}".', f"It has {', '.join(known)}.")
    wanted = set(names)
    views = objective.layout.split(flat)
    return objective.layout.gather([view if name in wanted else None for name, view in zip(known, views)])


def normalised(
    objective: Objective, flat: torch.Tensor, like: torch.Tensor, normalisation: str, include_bias: bool, include_norm: bool
) -> torch.Tensor:
    """
    filter: each output unit scaled to the norm of the same unit of ``like`` (Li et al. 2018); layer: each parameter as
    a whole; none: as it is. Biases and norm parameters become zero unless included.
    """
    layout = objective.layout
    scaled: list[Optional[torch.Tensor]] = []
    with torch.no_grad():
        for named, d, weights in zip(objective.named, layout.split(flat), layout.split(like)):
            kind = role(named)
            left_out = (kind == "bias" and not include_bias) or (kind == "norm" and not include_norm)
            scaled.append(None if left_out else _scaled_like(named, d, weights, normalisation))
    return layout.gather(scaled)


def _scaled_like(named: Named, d: torch.Tensor, weights: torch.Tensor, normalisation: str) -> torch.Tensor:
    """One parameter of a direction with the norms of its weights; units of the direction that are zero stay so."""
    axis = filter_axis(named)
    if normalisation == "filter" and axis is not None:
        other = [i for i in range(d.dim()) if i != axis]
        lengths = d.pow(2).sum(other, keepdim=True).sqrt()
        wanted = weights.pow(2).sum(other, keepdim=True).sqrt()
        return d * (wanted / lengths.clamp_min(1e-30))
    if normalisation in ("filter", "layer"):
        return d * (weights.norm() / d.norm().clamp_min(1e-30))
    if normalisation != "none":
        raise BasinError("bad-input", f"There is no normalisation {normalisation!r}.")
    return d
