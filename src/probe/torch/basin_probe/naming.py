"""
What parameters are called: by the module of the script that holds them all, found among the variables of the frames
that take the step; else by the variables that hold the modules or the tensors themselves.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any, Iterator, Optional

import torch
from torch import nn

from .tape import _OWN_FOLDER, _TORCH_FOLDER, unwrap

_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_LIBRARY = os.path.dirname(os.__file__)


@dataclass
class Named:
    """A tensor of the script with what is known of it."""

    name: str
    tensor: torch.Tensor
    owner: Optional[nn.Module]
    """The submodule that holds it."""
    key: str
    """Its name within that submodule."""
    layer: Optional[str]


@dataclass
class Owner:
    """The module whose ``state_dict`` is the script's own checkpoint."""

    module: nn.Module
    name: str


@dataclass
class CallSite:
    file: str
    line: int
    column: int


def user_frames() -> Iterator[FrameType]:
    """Frames of this thread outside of the probe, innermost first."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_OWN_FOLDER):
            yield frame
        frame = frame.f_back


def call_site() -> Optional[CallSite]:
    """Where the script takes the step: the innermost frame that is no library's."""
    for frame in user_frames():
        file = frame.f_code.co_filename
        if file.startswith((_TORCH_FOLDER, _LIBRARY, "<")) or any(part in file for part in _INSTALLED):
            continue
        return CallSite(os.path.abspath(file), frame.f_lineno, _column(frame))
    return None


def _column(frame: FrameType) -> int:
    """1-based; 1 where Python keeps no columns (before 3.11)."""
    positions = getattr(frame.f_code, "co_positions", None)
    if positions is None:
        return 1
    for i, (_, _, column, _) in enumerate(positions()):
        if i * 2 == frame.f_lasti:
            return 1 if column is None else int(column) + 1
    return 1


def _variables() -> Iterator[tuple[str, Any]]:
    """Variables of the frames from the innermost out, and module attributes of the objects that they hold."""
    seen: set[int] = set()
    held: list[tuple[str, Any]] = []
    for frame in user_frames():
        if frame.f_code.co_filename.startswith(_TORCH_FOLDER):
            continue
        scopes = [dict(frame.f_locals)]
        if frame.f_globals is not frame.f_locals:
            scopes.append({k: v for k, v in frame.f_globals.items() if issubclass(type(v), (nn.Module, torch.Tensor, list, dict))})
        for scope in scopes:
            for name, value in list(scope.items()):
                if name.startswith("__") or id(value) in seen:
                    continue
                seen.add(id(value))
                yield name, value
                inner = _own_attributes(value)
                if type(inner) is dict and not isinstance(value, (nn.Module, type, ModuleType)) and len(inner) < 500:
                    held.extend(inner.items())
    for name, value in held:
        # By type: isinstance would wake lazy and deprecated objects.
        if issubclass(type(value), (nn.Module, torch.Tensor)) and id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _own_attributes(value: Any) -> Any:
    """An object's plain attributes, asked without running any of its own code."""
    try:
        return object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return None


def name_parameters(
    parameters: list[torch.Tensor], roots: list[nn.Module]
) -> tuple[list[Named], Optional[Owner]]:
    """
    Names for an objective's parameters, unique, and the module that holds them all when there is one.

    :param roots: modules that the loss calls, for when no variable can be found
    """
    wanted = {id(p) for p in parameters}
    variables = list(_variables())
    candidates: list[tuple[str, nn.Module]] = []
    for name, value in variables:
        if isinstance(value, nn.Module) and not isinstance(value, nn.modules.loss._Loss):
            module = unwrap(value)
            if isinstance(module, (nn.DataParallel,)):
                module = module.module
            if all(module is not m for _, m in candidates):
                candidates.append((name, module))
    for root in roots:
        if all(root is not m for _, m in candidates):
            candidates.append((type(root).__name__, root))
    owner = _single_owner(wanted, candidates)
    if owner is not None:
        return _names_within(parameters, owner.module), owner
    return _names_from_variables(parameters, candidates, variables), None


def _single_owner(wanted: set[int], candidates: list[tuple[str, nn.Module]]) -> Optional[Owner]:
    """The smallest module that holds every parameter; of equal ones the one found first."""
    best: Optional[tuple[int, Owner]] = None
    for name, module in candidates:
        held = {id(p) for p in module.parameters()}
        if wanted <= held and (best is None or len(held) < best[0]):
            best = (len(held), Owner(module, name))
    return None if best is None else best[1]


def _names_within(parameters: list[torch.Tensor], module: nn.Module) -> list[Named]:
    places: dict[int, Named] = {}
    for prefix, submodule in module.named_modules():
        for key, p in submodule._parameters.items():
            if p is not None and id(p) not in places:
                places[id(p)] = Named(f"{prefix}.{key}" if prefix else key, p, submodule, key, prefix or None)
    return [places.get(id(p)) or Named(f"parameter_{i}", p, None, f"parameter_{i}", None) for i, p in enumerate(parameters)]


def _names_from_variables(
    parameters: list[torch.Tensor], candidates: list[tuple[str, nn.Module]], variables: list[tuple[str, Any]]
) -> list[Named]:
    places: dict[int, Named] = {}
    # The smallest modules first: their variables are the script's own words for the parts.
    for name, module in sorted(candidates, key=lambda c: sum(1 for _ in c[1].parameters())):
        for prefix, submodule in module.named_modules():
            for key, p in submodule._parameters.items():
                if p is not None and id(p) not in places:
                    layer = f"{name}.{prefix}" if prefix else name
                    places[id(p)] = Named(f"{layer}.{key}", p, submodule, key, layer)
    for name, value in variables:
        items = [(name, value)]
        if isinstance(value, dict):
            items = [(str(k), v) for k, v in value.items()]
        elif isinstance(value, (list, tuple)):
            items = [(f"{name}.{i}", v) for i, v in enumerate(value)]
        for key, t in items:
            if isinstance(t, torch.Tensor) and id(t) not in places:
                places[id(t)] = Named(key, t, None, key, None)
    named = []
    used: set[str] = set()
    for i, p in enumerate(parameters):
        found = places.get(id(p)) or Named(f"parameter_{i}", p, None, f"parameter_{i}", None)
        name, n = found.name, 1
        while name in used:
            n += 1
            name = f"{found.name}.{n}"
        used.add(name)
        named.append(Named(name, p, found.owner, found.key, found.layer))
    return named


def role(named: Named) -> str:
    """What a parameter is to its layer: kernel, bias, norm, embedding or other."""
    kind = type(named.owner).__name__ if named.owner is not None else ""
    if "Norm" in kind:
        return "norm"
    if isinstance(named.owner, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding"
    last = named.key.rsplit(".", 1)[-1]
    if "bias" in last or (named.tensor.dim() <= 1 and last.startswith("b")):
        return "bias"
    return "kernel" if named.tensor.dim() >= 2 else "other"


def filter_axis(named: Named) -> Optional[int]:
    """Axis of output units: the first, but in transposed convolutions the second."""
    if named.tensor.dim() < 2:
        return None
    return 1 if "ConvTranspose" in type(named.owner).__name__ else 0
