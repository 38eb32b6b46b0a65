"""Arithmetic on flat vectors, some of them files: norms, products, Gram matrices, random directions."""

from __future__ import annotations

import contextlib
import math
from typing import Any, Optional, Sequence

import torch

from .elementwise import normalised
from .errors import BasinError
from .objective import Objective
from .questions import Vector
from .safetensors import SafetensorsFile, kept_dtype

#: Bytes of the block in which a Gram matrix is computed.
_BLOCK_BYTES = 64 * 2**20


#: Elements that are taken to float64 at a time: whole vectors would double the memory that they take.
_STRETCH = 1 << 18


def norm(flat: torch.Tensor) -> float:
    """Accumulated in float64; of one stretch without a square that could overflow."""
    if flat.numel() <= _STRETCH:
        return float(flat.double().norm())
    return math.hypot(*(float(x.double().norm()) for x in flat.split(_STRETCH)))


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    """Accumulated in float64."""
    if a.numel() <= _STRETCH:
        return float(torch.dot(a.double(), b.double()))
    return sum(float(torch.dot(x.double(), y.double())) for x, y in zip(a.split(_STRETCH), b.split(_STRETCH)))


def load_file(objective: Objective, path: str) -> Vector:
    """
    Parameters and, where it has them all, state of a safetensors file.

    :raises BasinError: ``not-found``, ``corrupt-run`` when it is not of this objective
    """
    layout = objective.layout
    with SafetensorsFile(path) as file:
        flat = layout.zeros()
        with torch.no_grad():
            for named, view in zip(objective.named, layout.split(flat)):
                entry = file.entries.get(named.name)
                if entry is None or entry.shape != tuple(named.tensor.shape):
                    raise BasinError(
                        "corrupt-run",
                        f'{path} holds no parameter "{named.name}" of shape {list(named.tensor.shape)}.',
                        "The file is of another model, or the script has changed since.",
                    )
                file.read_into(named.name, view)
        state: Optional[list[torch.Tensor]] = []
        for s in objective.state:
            now = s.now()
            entry = file.entries.get(s.name)
            if entry is None or entry.shape != tuple(now.shape):
                state = None
                break
            state.append(file.read(s.name).to(device=now.device, dtype=now.dtype))  # type: ignore[union-attr]
    return Vector(flat, state)


def save_tensors(objective: Objective, vector: Vector) -> list[tuple[str, torch.Tensor]]:
    """A vector as named tensors: parameters in float64 or float32 as they train, state as it is."""
    found = [
        (named.name, view.detach().to("cpu", kept_dtype(named.tensor)).contiguous())
        for named, view in zip(objective.named, objective.layout.split(vector.flat))
    ]
    if vector.state is not None:
        found += [(s.name, t.detach().to("cpu").contiguous()) for s, t in zip(objective.state, vector.state)]
    return found


def random_direction(
    objective: Objective, seed: int, like: Vector, normalisation: str, include_bias: bool, include_norm: bool
) -> torch.Tensor:
    """A Gaussian direction, then as :func:`normalised` makes it."""
    layout = objective.layout
    generator = torch.Generator(device="cpu").manual_seed(seed)
    draws = [torch.randn(p.shape, generator=generator, dtype=torch.float32, device="cpu") for p in layout.parameters]
    return normalised(objective, layout.gather(draws), like.flat, normalisation, include_bias, include_norm)


def gram(objective: Objective, operands: Sequence[Any], origin: Any) -> list[list[float]]:
    """
    Inner products of (operand − origin), block by block, so that memory stays bounded for any number of files.

    :param operands: vectors, or paths of files as ``{"file": path}``
    """
    layout = objective.layout
    n = len(operands)
    total = torch.zeros(n, n, dtype=torch.float64, device="cpu")
    block = max(1 << 14, _BLOCK_BYTES // (8 * max(1, n)))
    with contextlib.ExitStack() as stack:

        def source(operand: Any) -> Any:
            if isinstance(operand, Vector):
                return operand
            file = stack.enter_context(SafetensorsFile(operand["file"]))
            return file

        sources = [source(o) for o in operands]
        base = None if origin is None else source(origin)

        def part(x: Any, index: int, start: int, count: int) -> torch.Tensor:
            named = objective.named[index]
            if isinstance(x, Vector):
                view = layout.split(x.flat)[index]
                return view.reshape(-1)[start : start + count].to("cpu", torch.float64)
            return x.read_part(named.name, start, count).double()

        for index, named in enumerate(objective.named):
            size = named.tensor.numel()
            for start in range(0, size, block):
                count = min(block, size - start)
                rows = torch.stack([part(x, index, start, count) for x in sources])
                if base is not None:
                    rows -= part(base, index, start, count)
                total += rows @ rows.T
    return [[float(x) for x in row] for row in total.tolist()]
