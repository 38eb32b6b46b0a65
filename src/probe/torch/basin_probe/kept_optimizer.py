"""
An optimizer's state and hyperparameters of one moment, put back into the objects that the script may hold: its groups, its
state and the tensors in it stay the same ones, which ``load_state_dict`` would replace.
"""

from __future__ import annotations

import copy
from typing import Any

import torch


class KeptOptimizer:
    """A copy. What an optimizer keeps outside of ``state`` and ``param_groups`` is not handled."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        #: kept alive, so that it is the same one as long as this is
        self.optimizer = optimizer
        self._state = [(p, copy.deepcopy(values)) for p, values in optimizer.state.items()]
        self._groups = [
            (group, {key: copy.deepcopy(value) for key, value in group.items() if key != "params"})
            for group in optimizer.param_groups
        ]

    def restore(self) -> None:
        """Groups and state of parameters that came since: the groups stay as they are, the state begins anew."""
        state = self.optimizer.state
        kept = {id(p) for p, _ in self._state}
        for p in [p for p in state if id(p) not in kept]:
            del state[p]
        for p, values in self._state:
            if isinstance(state.get(p), dict) and isinstance(values, dict):
                _put_back(state[p], values)
            else:
                state[p] = copy.deepcopy(values)
        for group, values in self._groups:
            _put_back(group, values, but="params")


@torch.no_grad()
def _put_back(into: dict[Any, Any], values: dict[Any, Any], but: str = "") -> None:
    for key in [key for key in into if key not in values and key != but]:
        del into[key]
    for key, value in values.items():
        now = into.get(key)
        same = isinstance(now, torch.Tensor) and isinstance(value, torch.Tensor)
        if same and now.shape == value.shape and now.dtype == value.dtype and now.device == value.device:
            now.copy_(value)
        else:
            into[key] = copy.deepcopy(value)
