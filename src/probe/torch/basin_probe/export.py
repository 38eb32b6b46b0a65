"""A vector as the script's own checkpoint: ``state_dict`` as .pt and as safetensors."""

from __future__ import annotations

import os
from typing import Any

import torch

from .evaluator import Evaluator, Vector
from .safetensors import can_hold, write_file


def export_model(evaluator: Evaluator, vector: Vector, directory: str) -> list[str]:
    """
    Writes ``model.pt`` and ``model.safetensors``; both load strictly into the script's own model. Where no single
    module holds the parameters, a dictionary of the tensors by their names in Basin.
    """
    objective = evaluator.objective
    os.makedirs(directory, exist_ok=True)
    values: dict[int, torch.Tensor] = {}
    for p, view in zip(objective.layout.parameters, objective.layout.split(vector.flat)):
        values[id(p)] = view.detach().to(p.dtype)
    if vector.state is not None:
        for s, t in zip(objective.state, vector.state):
            values[id(s.now())] = t
    if objective.owner is not None:
        # keep_vars gives the tensors themselves, so that tied weights and buffers are told by identity.
        own = objective.owner.module.state_dict(keep_vars=True)
        state: dict[str, Any] = {}
        for key, t in own.items():
            state[key] = values.get(id(t), t.detach()).detach().clone() if isinstance(t, torch.Tensor) else t
    else:
        state = {n.name: values[id(n.tensor)].clone() for n in objective.named}
    torch.save(state, os.path.join(directory, "model.pt"))
    tensors = [(k, t) for k, t in state.items() if isinstance(t, torch.Tensor) and can_hold(t.dtype)]
    write_file(os.path.join(directory, "model.safetensors"), tensors, {"format": "pt"})
    return ["model.pt", "model.safetensors"]
