"""Tensors inside nested Python structures: arguments of a call, outputs of a model, batches of a loader."""

from __future__ import annotations

import copy
import types
from typing import Any, Callable, Iterator

import torch

_PLAIN = (int, float, complex, str, bytes, bool, torch.dtype, torch.device, torch.Size, type, torch.nn.Module)

Path = tuple  # of ('item', key) and ('attribute', name)


class Ref:
    """Stands for a tensor in a recorded structure; subclasses say which."""

    __slots__ = ()


def map_tensors(f: Callable[[Any], Any], value: Any) -> Any:
    """
    The same structure with ``f`` applied to every tensor (or :class:`Ref`) in it. Containers that hold none come back
    as the very objects they were; others are copied, also dataclasses and dict-like model outputs.
    """
    if isinstance(value, (torch.Tensor, Ref)):
        return f(value)
    if value is None or isinstance(value, _PLAIN):
        return value
    kind = type(value)
    if kind is tuple or kind is list:
        return kind(map_tensors(f, x) for x in value)
    if kind is dict:
        return {k: map_tensors(f, x) for k, x in value.items()}
    if kind is slice:
        return slice(map_tensors(f, value.start), map_tensors(f, value.stop), map_tensors(f, value.step))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        # By the tuple's own constructor: that of a packed sequence reads its tensors, which may be refs here.
        return tuple.__new__(kind, [map_tensors(f, x) for x in value])
    if isinstance(value, dict) or (hasattr(value, "__dict__") and not callable(value) and not _opaque(value)):
        return _map_object(f, value)
    return value


def _opaque(value: Any) -> bool:
    """Modules of Python and the machinery of process groups: they lead to everything there is."""
    return isinstance(value, types.ModuleType) or type(value).__module__.startswith(("torch.distributed", "torch._C"))


def _map_object(f: Callable[[Any], Any], value: Any) -> Any:
    found = False

    def noting(x: Any) -> Any:
        nonlocal found
        found = True
        return f(x)

    try:
        items = {k: map_tensors(noting, x) for k, x in value.items()} if hasattr(value, "items") else {}
        attributes = {} if isinstance(value, dict) else {k: map_tensors(noting, x) for k, x in vars(value).items()}
        if not found:
            return value
        made = copy.copy(value)
        for k, x in items.items():
            made[k] = x
        made.__dict__.update(attributes) if attributes else None
        return made
    except Exception:  # an object that cannot be copied is passed as it is
        return value


def tensors_in(value: Any) -> list[Any]:
    """All tensors (or refs) of a structure, in the order of :func:`map_tensors`."""
    found: list[Any] = []

    def note(x: Any) -> Any:
        found.append(x)
        return x

    map_tensors(note, value)
    return found


def tensor_paths(value: Any, prefix: Path = (), depth: int = 0) -> Iterator[tuple[Path, torch.Tensor]]:
    """(path, tensor) of the tensors in an output; :func:`follow` goes the path again."""
    if isinstance(value, torch.Tensor):
        yield prefix, value
    elif depth > 6 or value is None or isinstance(value, (str, int, float)):
        return
    elif isinstance(value, (tuple, list)):
        for i, x in enumerate(value):
            yield from tensor_paths(x, prefix + (("item", i),), depth + 1)
    elif hasattr(value, "items") and not isinstance(value, type):
        for k, x in value.items():
            yield from tensor_paths(x, prefix + (("item", k),), depth + 1)
    elif hasattr(value, "__dict__") and not isinstance(value, (type, torch.nn.Module)) and not _opaque(value):
        for k, x in vars(value).items():
            yield from tensor_paths(x, prefix + (("attribute", k),), depth + 1)


def follow(value: Any, path: Path) -> Any:
    for kind, key in path:
        value = value[key] if kind == "item" else getattr(value, key)
    return value


def numbers_in(value: Any) -> list[Any]:
    """Python numbers (bool, int, float) of a recorded structure, in a fixed order."""
    found: list[Any] = []

    def note(x: Any) -> Any:
        found.append(x)
        return x

    map_numbers(note, value)
    return found


def map_numbers(f: Callable[[Any], Any], value: Any) -> Any:
    """The same structure with ``f`` applied to its Python numbers; objects other than plain containers are left alone."""
    if isinstance(value, (bool, int, float)):
        return f(value)
    kind = type(value)
    if kind is tuple or kind is list:
        return kind(map_numbers(f, x) for x in value)
    if kind is dict:
        return {k: map_numbers(f, x) for k, x in value.items()}
    if kind is slice:
        return slice(map_numbers(f, value.start), map_numbers(f, value.stop), map_numbers(f, value.step))
    return value
