"""What an optimizer keeps of squared gradients, and divides by the root of."""

from __future__ import annotations

from typing import Any, Optional

import torch

from .errors import BasinError
from .objective import Objective


def second_moment(objective: Objective, optimizer: Optional[torch.optim.Optimizer]) -> torch.Tensor:
    """
    Flat, over the objective's parameters. Adam and its kin: v/(1 − β₂ᵗ) (of the largest v so far with AMSGrad);
    RMSprop: the mean square, less the squared mean where it is centred; Adagrad: the sum of squares; Adadelta: the mean
    square.

    :raises BasinError: ``unsupported`` where the optimizer keeps none
    """
    if optimizer is None:
        raise BasinError(
            "unsupported",
            "This process has no optimizer that has taken a step: second moments are kept by living and held runs only.",
            "Ask while the run trains or is held.",
        )
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    found: list[Optional[torch.Tensor]] = []
    with torch.no_grad():
        for named in objective.named:
            p = named.tensor
            value = _moment(optimizer.state.get(p, {}), groups.get(id(p), {}))
            if value is None or value.shape != p.shape:
                raise BasinError(
                    "unsupported",
                    f"The optimizer {type(optimizer).__name__} keeps no second moment of {named.name}.",
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
