"""The random streams that a training step may draw from: torch (CPU, CUDA, MPS), NumPy and ``random``."""

from __future__ import annotations

import random
import sys
from typing import Any

import torch

#: Stream name → its state, only of streams that exist in this process.
Streams = dict


def read_streams() -> Streams:
    states: Streams = {"torch": torch.get_rng_state(), "python": random.getstate()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if hasattr(torch, "mps") and torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    numpy = loaded_numpy()
    if numpy is not None:
        states["numpy"] = numpy.random.get_state()
    return states


def write_streams(states: Streams) -> None:
    """Sets the streams named; others are left alone."""
    for name, state in states.items():
        if name == "torch":
            torch.set_rng_state(state)
        elif name == "python":
            random.setstate(state)
        elif name == "cuda":
            torch.cuda.set_rng_state_all(state)
        elif name == "mps":
            torch.mps.set_rng_state(state)
        elif name == "numpy":
            numpy = loaded_numpy()
            if numpy is not None:
                numpy.random.set_state(state)


def drawn_from(before: Streams) -> Streams:
    """Of the streams read before a call, those that the call has moved since."""
    return {name: state for name, state in before.items() if not _same(state, read_stream(name))}


def read_stream(name: str) -> Any:
    if name == "torch":
        return torch.get_rng_state()
    if name == "python":
        return random.getstate()
    if name == "cuda":
        return torch.cuda.get_rng_state_all()
    if name == "mps":
        return torch.mps.get_rng_state()
    numpy = loaded_numpy()
    return numpy.random.get_state() if numpy is not None else None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, list):
        return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b))
    if isinstance(a, tuple) and len(a) == 5 and isinstance(a[0], str):  # NumPy's: name, keys, position, two for Gaussians
        return a[2:] == b[2:] and bool((a[1] == b[1]).all())
    return bool(a == b)


def loaded_numpy() -> Any:
    """NumPy when the script has loaded it; the probe itself needs none."""
    module = sys.modules.get("numpy")
    return module if module is not None and hasattr(module, "random") else None


def encode_streams(states: Streams) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Splits states into tensors and what JSON holds, for a file; :func:`decode_streams` puts them together again."""
    tensors: dict[str, torch.Tensor] = {}
    rest: dict[str, Any] = {}
    for name, state in states.items():
        if isinstance(state, torch.Tensor):
            tensors[name] = state
        elif name == "cuda":
            for i, x in enumerate(state):
                tensors[f"cuda{i}"] = x
        elif name == "python":
            rest[name] = [state[0], list(state[1]), state[2]]
        else:
            rest[name] = [state[0], [int(x) for x in state[1]], int(state[2]), int(state[3]), float(state[4])]
    return tensors, rest


def decode_streams(tensors: dict[str, torch.Tensor], rest: dict[str, Any]) -> Streams:
    states: Streams = {}
    cuda = sorted((k for k in tensors if k.startswith("cuda")), key=lambda k: int(k[4:]))
    if cuda:
        states["cuda"] = [tensors[k] for k in cuda]
    for name in ("torch", "mps"):
        if name in tensors:
            states[name] = tensors[name]
    if "python" in rest:
        version, words, gauss = rest["python"]
        states["python"] = (version, tuple(words), gauss)
    numpy = loaded_numpy()
    if "numpy" in rest and numpy is not None:
        name, keys, position, has_gauss, cached = rest["numpy"]
        states["numpy"] = (name, numpy.array(keys, dtype="uint32"), position, has_gauss, cached)
    return states
