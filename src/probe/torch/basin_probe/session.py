"""
A time of evaluation without a trace in the process: parameters and state are pointed at other storage, pointed back
at the end, and everything else that a replay may move is put back bit for bit.
"""

from __future__ import annotations

import contextlib
import functools
import io
import sys
from collections import deque
from typing import Any, Iterator, Optional

import torch
from torch import nn

from . import random_streams
from .layout import Layout
from .versions import copy_into, no_autocast, put_versions_back, version_of

_CONTAINERS = (list, dict, set, deque)
_LARGEST_CONTAINER = 10_000


class StateTensor:
    """
    A tensor that the loss reads and the optimizer does not move: a buffer, a frozen parameter, an opponent's weights.
    Known by its place, since a module may put another tensor object there.
    """

    __slots__ = ("name", "owner", "key", "tensor")

    def __init__(self, name: str, owner: Optional[dict[str, Any]], key: str, tensor: torch.Tensor) -> None:
        self.name = name
        self.owner = owner
        self.key = key
        self.tensor = tensor

    def now(self) -> torch.Tensor:
        if self.owner is None:
            return self.tensor
        found = self.owner.get(self.key)
        return found if isinstance(found, torch.Tensor) else self.tensor


class Scratch:
    """
    Storage that parameters and state are pointed at while a session lasts; kept between sessions. That of the weights is
    made when a session first needs it: where a vector stands in for the weights itself, it never is.
    """

    def __init__(self, layout: Layout, state: list[StateTensor]) -> None:
        self.layout = layout
        with torch.no_grad():
            self.state = [torch.empty_like(s.now(), requires_grad=False) for s in state]
        #: by place in the layout: what stands in for a convolution's weights, channels last
        self._formatted: dict[int, torch.Tensor] = {}
        self._in_format = False

    @functools.cached_property
    def flat(self) -> torch.Tensor:
        return self.layout.zeros()

    @functools.cached_property
    def parameters(self) -> list[torch.Tensor]:
        if self.layout.direct:
            return self.layout.split(self.flat)
        with torch.no_grad():
            return [torch.empty_like(p, requires_grad=False) for p in self.layout.parameters]

    @functools.cached_property
    def _views(self) -> list[torch.Tensor]:
        return self.layout.split(self.flat)

    def loaded(self) -> None:
        """Call after writing to ``flat``."""
        if not self.layout.direct:
            with torch.no_grad():
                copy_into(self.parameters, self._views)
        if self._in_format:
            with torch.no_grad():
                copy_into(list(self._formatted.values()), [self.parameters[i] for i in self._formatted])

    def formatted(self, pieces: list[torch.Tensor]) -> list[torch.Tensor]:
        """Tensors by parameter in the memory format that is on."""
        if not self._in_format:
            return pieces
        return [t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in pieces]

    @contextlib.contextmanager
    def in_format(self, channels_last: bool) -> Iterator[None]:
        """Inside a session: weights with four axes lie channels last, which convolutions may be faster with."""
        if not channels_last:
            yield
            return
        with torch.inference_mode(False), torch.no_grad():
            for i, p in enumerate(self.parameters):
                if p.dim() == 4 and i not in self._formatted:
                    self._formatted[i] = p.contiguous(memory_format=torch.channels_last).clone()
        self._in_format = True
        try:
            self.loaded()
            for i, t in self._formatted.items():
                self.layout.parameters[i].data = t
            yield
        finally:
            self._in_format = False
            for i in self._formatted:
                self.layout.parameters[i].data = self.parameters[i]


@contextlib.contextmanager
def session(
    pristine: Any,
    modules: list[nn.Module],
    parameters: list[torch.Tensor],
    state: list[StateTensor],
    scratch: Scratch,
    *,
    grad: bool,
    inference_mode: bool = False,
    weights: Optional[list[torch.Tensor]] = None,
) -> Iterator[None]:
    """
    :param weights: what the parameters are pointed at in place of the scratch's own
    :param pristine: context that takes the probe's own patches off
    :param modules: root modules that are going to be called
    :param grad: whether derivatives will be taken
    """
    streams = random_streams.read_streams()
    kept = _Kept(modules)
    output = sys.stdout, sys.stderr
    live_state = [s.now() for s in state]
    own = [p.data for p in parameters]
    own_state = [t.data for t in live_state]
    counted = [*parameters, *live_state]
    counts = [version_of(t) for t in counted]
    # Made here, should they not be there: tensors that inference mode makes are of no use outside of it.
    weights = scratch.parameters if weights is None else weights
    with pristine, no_autocast():
        try:
            sys.stdout = sys.stderr = io.StringIO()
            for p, x in zip(parameters, weights):
                p.data = x
            for t, x in zip(live_state, scratch.state):
                t.data = x
            mode = torch.inference_mode() if inference_mode else torch.set_grad_enabled(grad)
            with mode:
                yield
        finally:
            sys.stdout, sys.stderr = output
            for p, x in zip(parameters, own):
                p.data = x
            for t, x in zip(live_state, own_state):
                t.data = x
            put_versions_back(counted, counts)
            kept.restore()
            random_streams.write_streams(streams)


class _Kept:
    """Attributes, buffers and flags of module trees, and what is in their lists and dictionaries."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self.plain: list[tuple[nn.Module, dict[str, Any], dict[str, Any]]] = []
        self.flags: list[tuple[nn.Module, bool]] = []
        self.containers: list[tuple[Any, Any]] = []
        seen: set[int] = set()
        for root in modules:
            for module in root.modules():
                if id(module) in seen:
                    continue
                seen.add(id(module))
                self.flags.append((module, module.training))
                if isinstance(module, torch.jit.ScriptModule):
                    continue
                self.plain.append((module, dict(module.__dict__), dict(module._buffers)))
                for key, value in module.__dict__.items():
                    if isinstance(value, _CONTAINERS) and not key.startswith("_") and len(value) <= _LARGEST_CONTAINER:
                        self.containers.append((value, value.copy()))

    def restore(self) -> None:
        for module, flag in self.flags:
            if module.training != flag:
                module.training = flag
        for module, plain, buffers in self.plain:
            now = module.__dict__
            if len(now) != len(plain) or any(now.get(k, now) is not v for k, v in plain.items()):
                now.clear()
                now.update(plain)
            present = module._buffers
            if any(present.get(k, present) is not v for k, v in buffers.items()) or len(present) != len(buffers):
                present.clear()
                present.update(buffers)
        for container, content in self.containers:
            restore_container(container, content)


def restore_container(container: Any, content: Any) -> None:
    """Puts a list, dictionary, set or deque back to what a copy of it holds, when it differs."""
    if isinstance(container, (list, deque)):
        if len(container) != len(content) or any(a is not b for a, b in zip(container, content)):
            container.clear()
            container.extend(content)
    elif isinstance(container, dict):
        if len(container) != len(content) or any(container.get(k, container) is not v for k, v in content.items()):
            container.clear()
            container.update(content)
    elif container != content:
        container.clear()
        container.update(content)


def set_training(modules_flags: list[tuple[nn.Module, bool]], inference: bool) -> None:
    """Puts the recorded flags on, or all of them off."""
    for module, flag in modules_flags:
        wanted = flag and not inference
        if module.training != wanted:
            module.training = wanted
