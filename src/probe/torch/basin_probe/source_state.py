"""
What drawing from a script's data may move outside of torch's, NumPy's and Python's own random streams: attributes and
containers of data sets and samplers, and the generators that they hold. Noted, and put back bit for bit.
"""

from __future__ import annotations

import random
import types
from typing import Any, Callable, Iterator

import torch

from . import random_streams
from .session import restore_container

#: How far from a data set its parts are looked for: a transform of a subset of a concatenation.
_DEPTH = 5
_LARGEST_CONTAINER = 10_000
#: Elements of a container that are looked into: data sets of a concatenation, not samples.
_LOOKED_INTO = 64
_PLAIN = (int, float, complex, str, bytes, bool, type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, torch.Tensor)


class Generator:
    """A random generator that an object holds, of whichever library."""

    def __init__(self, held: Any, state: Any, put_back: Callable[[], None], seed: Callable[[int], None]) -> None:
        self.held = held
        self.state = state
        self.put_back = put_back
        self.seed = seed


class SourceState:
    """Attributes, containers and generators of some objects and their parts, as they are now."""

    def __init__(self, objects: list[Any]) -> None:
        self.generators: list[Generator] = []
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._containers: list[tuple[Any, Any]] = []
        self._seen: set[int] = set()
        for x in objects:
            self._note(x, 0)

    def put_back(self) -> None:
        for now, then in self._attributes:
            if len(now) != len(then) or any(now.get(k, now) is not v for k, v in then.items()):
                now.clear()
                now.update(then)
        for container, content in self._containers:
            restore_container(container, content)
        for generator in self.generators:
            generator.put_back()

    def _note(self, x: Any, depth: int) -> None:
        if x is None or isinstance(x, _PLAIN) or depth > _DEPTH or id(x) in self._seen:
            return
        self._seen.add(id(x))
        generator = _as_generator(x)
        if generator is not None:
            self.generators.append(generator)
            return
        if isinstance(x, (list, dict, set)):
            if len(x) <= _LARGEST_CONTAINER:
                self._containers.append((x, x.copy()))
        elif isinstance(x, types.MethodType):
            self._note(x.__self__, depth)
            return
        else:
            attributes = getattr(x, "__dict__", None)
            if isinstance(attributes, dict):
                self._attributes.append((attributes, dict(attributes)))
        for part in _parts(x):
            self._note(part, depth + 1)


def _parts(x: Any) -> Iterator[Any]:
    if isinstance(x, dict):
        if len(x) <= _LOOKED_INTO:
            yield from x.values()
    elif isinstance(x, (list, tuple, set)):
        if len(x) <= _LOOKED_INTO:
            yield from x
    elif isinstance(getattr(x, "__dict__", None), dict):
        yield from list(x.__dict__.values())


def _as_generator(x: Any) -> "Generator | None":
    if isinstance(x, torch.Generator):
        state = x.get_state()
        return Generator(x, state, lambda: _ignore(x.set_state(state)), lambda seed: _ignore(x.manual_seed(seed)))
    if isinstance(x, random.Random):
        before = x.getstate()
        return Generator(x, before, lambda: x.setstate(before), x.seed)
    numpy = random_streams.loaded_numpy()
    if numpy is None:
        return None
    if isinstance(x, numpy.random.RandomState):
        was = x.get_state()
        return Generator(x, was, lambda: x.set_state(was), x.seed)
    if isinstance(x, numpy.random.Generator):
        bits = x.bit_generator
        held = bits.state

        def put_back() -> None:
            bits.state = held

        def seed(value: int) -> None:
            bits.state = type(bits)(value).state

        return Generator(x, held, put_back, seed)
    return None


def _ignore(_: Any) -> None:
    return None
