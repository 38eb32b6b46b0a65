"""One thing that is minimised: a loss over the parameters of one optimizer, or of several that share it. A GAN has two."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import torch
from torch import nn

from .layout import Layout
from .naming import CallSite, Named, Owner, filter_axis, name_parameters, role
from .program import Batch, Program
from .session import StateTensor

#: torch's word for a setting → Basin's, which is the same for every framework
_SETTINGS = {"lr": "learningRate", "nesterov": "useNesterov", "weight_decay": "weightDecay", "eps": "epsilon"}

#: What decides how far a step goes along a direction.
_STEP_SETTINGS = ("lr", "momentum", "dampening", "nesterov", "betas")


class Objective:
    """What is known of one loss since its first step: parameters, state, how it replays, its evaluation set."""

    def __init__(
        self,
        index: int,
        optimizers: Sequence[torch.optim.Optimizer],
        parameters: list[torch.Tensor],
        program: Optional[Program],
        site: Optional[CallSite],
    ) -> None:
        self.index = index
        self.site = site
        self.optimizer_info = describe_optimizers(optimizers)
        self.parameters = [p for p in parameters if p.requires_grad]
        self.program = program
        roots = [] if program is None else program.modules
        self.named, self.owner = name_parameters(self.parameters, roots)
        self.name = self.owner.name if self.owner is not None else _name_of(self.named, roots)
        self.layout = Layout(self.parameters)
        self.state = [] if program is None else find_state(program, self.parameters, self.owner)
        #: updates done
        self.steps = 0
        #: the ReplayInfo of run.json; None until checked
        self.replay: Optional[dict[str, Any]] = None
        self.loss_name: Optional[str] = None
        self.programs: list[Program] = [] if program is None else [program]
        self.train: list[Batch] = []
        self.validation: list[Batch] = []

    def info(self) -> dict[str, Any]:
        """ObjectiveInfo of src/protocol/run.ts."""
        module = self.owner.module if self.owner is not None else None
        return {
            "name": self.name,
            "parameters": [
                {
                    "name": n.name,
                    "shape": list(n.tensor.shape),
                    "role": role(n),
                    "filterAxis": filter_axis(n),
                    "layer": n.layer,
                    **({} if n.tensor.dtype is torch.float32 else {"dtype": _dtype(n.tensor)}),
                }
                for n in self.named
            ],
            "state": [
                {"name": s.name, "shape": list(s.now().shape), "dtype": _dtype(s.now())}
                for s in self.state
            ],
            "parameterCount": self.layout.count,
            "optimizer": self.optimizer_info,
            "callSite": None
            if self.site is None
            else {"file": self.site.file, "line": self.site.line, "column": self.site.column},
            "layersModel": None
            if module is None
            else {
                "name": type(module).__name__,
                "layers": sum(1 for m in module.modules() if next(m.parameters(recurse=False), None) is not None),
                "loss": self.loss_name,
            },
            "replay": self.replay,
        }


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).replace("torch.", "")


def describe_optimizers(optimizers: Sequence[torch.optim.Optimizer]) -> Optional[dict[str, Any]]:
    """
    OptimizerInfo of what takes an objective's steps. Several that differ have a name of their own, which no bound of
    stability is known for, and the first one's learning rate.
    """
    described = [describe_optimizer(o) for o in optimizers]
    if not described:
        return None
    first = described[0]
    if all(d == first for d in described):
        return first
    return {"name": " + ".join(d["name"] for d in described), "config": {"learningRate": first["config"].get("learningRate")}}


def describe_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """
    OptimizerInfo: the class's name and the scalars of its first parameter group, under Basin's names; where groups step
    differently (``groupsDiffer``), by what.
    """
    config: dict[str, Any] = {}
    differing = [key for key in _STEP_SETTINGS if len({str(g.get(key)) for g in optimizer.param_groups}) > 1]
    if differing:
        each = [f"{_SETTINGS.get(k, k)} {', '.join(_short(g.get(k)) for g in optimizer.param_groups)}" for k in differing]
        config["groupsDiffer"] = "; ".join(each)
    group = optimizer.param_groups[0] if optimizer.param_groups else {}
    for key, value in group.items():
        if key == "params":
            continue
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if key == "betas" and isinstance(value, (tuple, list)) and len(value) == 2:
            config["beta1"], config["beta2"] = float(value[0]), float(value[1])
        elif isinstance(value, (bool, int, float, str)) or value is None:
            config[_SETTINGS.get(key, key)] = value
    return {"name": type(optimizer).__name__, "config": config}


def _short(x: Any) -> str:
    if isinstance(x, torch.Tensor) and x.numel() == 1:
        x = x.item()
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def learning_rate(optimizer: Optional[torch.optim.Optimizer]) -> Optional[float]:
    """That of the first parameter group."""
    if optimizer is None or not optimizer.param_groups:
        return None
    rate = optimizer.param_groups[0].get("lr")
    if isinstance(rate, torch.Tensor):
        return float(rate.item()) if rate.numel() == 1 else None
    return float(rate) if isinstance(rate, (int, float)) else None


def find_state(program: Program, parameters: list[torch.Tensor], owner: Optional[Owner]) -> list[StateTensor]:
    """
    Every tensor that the loss can read and its optimizer does not move, with names that are unique. Sparse ones (a
    graph's edges) are left as they are.
    """
    mine = {id(p) for p in parameters}
    found: list[StateTensor] = []
    seen: set[int] = set(mine)
    used: set[str] = set()

    def add(name: str, place: Optional[dict[str, Any]], key: str, tensor: torch.Tensor) -> None:
        if id(tensor) in seen or tensor.layout is not torch.strided:
            return
        seen.add(id(tensor))
        unique, n = name, 1
        while unique in used:
            n += 1
            unique = f"{name}.{n}"
        used.add(unique)
        found.append(StateTensor(unique, place, key, tensor))

    def add_module(module: nn.Module, prefix: str) -> None:
        for path, submodule in module.named_modules():
            start = ".".join(x for x in (prefix, path) if x)
            scripted = isinstance(submodule, torch.jit.ScriptModule)
            for places in (submodule._buffers, submodule._parameters):
                for key, tensor in list(places.items()):
                    if tensor is not None:
                        add(f"{start}.{key}" if start else key, None if scripted else places, key, tensor)

    if owner is not None:
        add_module(owner.module, "")
    for i, module in enumerate(program.modules):
        add_module(module, f"{type(module).__name__}{i}")
    for i, tensor in enumerate(program.live):
        add(f"tensor{i}", None, "", tensor)
    return found


def _name_of(named: list[Named], roots: list[nn.Module]) -> str:
    layers = sorted({n.name.split(".")[0] for n in named if n.layer is not None})
    if layers:
        return "+".join(layers)
    return type(roots[0]).__name__ if roots else "loss"
