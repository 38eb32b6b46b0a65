"""A vector as the script's own checkpoint: ``state_dict`` as .pt and as safetensors."""

from __future__ import annotations

import os
from typing import Any

import torch

from .errors import BasinError
from .evaluator import Evaluator
from .questions import Vector
from .safetensors import can_hold, write_file


def export_model(evaluator: Evaluator, vector: Vector, directory: str, form: str) -> list[str]:
    """
    Writes ``model.pt`` or ``model.safetensors``, which loads strictly into the script's own model. Where no single
    module holds the parameters, a dictionary of the tensors by their names in Basin.

    :param form: ``pt`` or ``safetensors``
    :raises BasinError: ``unsupported`` for another form, or tensors that safetensors cannot hold
    """
    if form not in ("pt", "safetensors"):
        raise BasinError("unsupported", f"PyTorch writes no {form} model.", "Use the format pt or safetensors.")
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
    name = f"model.{form}"
    beside = os.path.join(directory, f"{name}.{os.getpid()}.part")
    if form == "pt":
        torch.save(state, beside)
    else:
        left_out = [
            k
            for k, t in state.items()
            if not (isinstance(t, torch.Tensor) and t.layout is torch.strided and can_hold(t.dtype))
        ]
        if left_out:
            raise BasinError(
                "unsupported",
                f"safetensors cannot hold {', '.join(left_out[:5])} of this model.",
                "Use the format pt.",
            )
        write_file(beside, list(state.items()), {"format": "pt"})
    os.replace(beside, os.path.join(directory, name))
    return [name]
