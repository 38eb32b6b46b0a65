"""What an optimizer keeps of squared gradients, and divides by the root of."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import torch

from .errors import BasinError
from .objective import Objective


def second_moment(objective: Objective, optimizers: Sequence[torch.optim.Optimizer]) -> torch.Tensor:
    """
    Flat, over the objective's parameters, each from the optimizer that moves it. Adam and its kin: v/(1 − β₂ᵗ) (of the largest v so far with AMSGrad);
    RMSprop: the mean square, less the squared mean where it is centred; Adagrad: the sum of squares; Adadelta: the mean
    square.

    :raises BasinError: ``unsupported`` where the optimizer keeps none
    """
    if not optimizers:
        raise BasinError(
            "unsupported",
            "This process has no optimizer that has taken a step: second moments are kept by living and held runs only.",
            "Ask while the run trains or is held.",
        )
    keepers = {id(p): (o, group) for o in optimizers for group in o.param_groups for p in group["params"]}
    found: list[Optional[torch.Tensor]] = []
    with torch.no_grad():
        for named in objective.named:
            p = named.tensor
            keeper, group = keepers.get(id(p), (optimizers[0], {}))
            value = _moment(keeper.state.get(p, {}), group)
            if value is None or value.shape != p.shape:
                raise BasinError(
                    "unsupported",
                    f"The optimizer {type(keeper).__name__} keeps no second moment of {named.name}.",
                    "They are known of Adam and its kin, RMSprop, Adagrad and Adadelta, after their first step.",
                )
            found.append(value)
    return objective.layout.gather(found)


def _moment(state: Any, group: dict[str, Any]) -> Optional[torch.Tensor]:
    """Of one parameter, by the names that torch's optimizers give to their state."""
    average = state.get("max_exp_avg_sq", state.get("exp_avg_sq"))
    if average is not None:
        betas, step = group.get("betas"), state.get("step")
        if betas is None or step is None:
            return None
        correction = 1 - float(betas[1]) ** float(step)
        return average.double() / correction if correction > 0 else None
    if "square_avg" in state:
        mean = state.get("grad_avg")
        return state["square_avg"] if mean is None else state["square_avg"] - mean * mean
    return state.get("sum")
