"""Tensors that a safetensors file does not know as such that it does: complex numbers, sparse layouts."""

from __future__ import annotations

from typing import Any, Callable, Optional

import torch

from .safetensors import can_hold

#: layout → (its name in the file, what makes one of its parts)
_COMPRESSED: dict[Any, tuple[str, Callable[..., torch.Tensor]]] = {
    layout: (name, make)
    for name, make in (
        ("csr", getattr(torch, "sparse_csr_tensor", None)),
        ("csc", getattr(torch, "sparse_csc_tensor", None)),
        ("bsr", getattr(torch, "sparse_bsr_tensor", None)),
        ("bsc", getattr(torch, "sparse_bsc_tensor", None)),
    )
    for layout in [getattr(torch, f"sparse_{name}", None)]
    if layout is not None and make is not None
}
_BY_NAME = {name: make for name, make in _COMPRESSED.values()}


def pack(tensor: torch.Tensor) -> Optional[tuple[list[torch.Tensor], Any]]:
    """
    (dense real tensors, how the tensor is made of them in JSON); how is None where it is its own only part. None where a
    file cannot hold it: a quantized tensor, a nested one, a dtype that safetensors lacks.
    """
    t = tensor.detach()
    try:
        if t.layout is torch.sparse_coo:
            # Of one that is not coalesced the public functions refuse to tell.
            packed = pack(t._values())
            how = {"layout": "coo", "shape": list(t.shape), "coalesced": t.is_coalesced()}
            return None if packed is None else ([t._indices(), *packed[0]], {**how, "values": packed[1]})
        if t.layout in _COMPRESSED:
            name, _ = _COMPRESSED[t.layout]
            of_rows = name in ("csr", "bsr")
            places = (t.crow_indices(), t.col_indices()) if of_rows else (t.ccol_indices(), t.row_indices())
            packed = pack(t.values())
            how = {"layout": name, "shape": list(t.shape)}
            return None if packed is None else ([*places, *packed[0]], {**how, "values": packed[1]})
        if t.layout is not torch.strided or t.is_quantized or getattr(t, "is_nested", False):
            return None
        if t.is_complex():
            parts = torch.view_as_real(t.resolve_conj())
            return ([parts], {"layout": "complex"}) if can_hold(parts.dtype) else None
        return ([t], None) if can_hold(t.dtype) else None
    except RuntimeError:  # a layout of another kind
        return None


def unpack(parts: list[torch.Tensor], how: Any) -> torch.Tensor:
    """The tensor that :func:`pack` took apart; ``parts`` may lie on any device."""
    if how is None:
        return parts[0]
    if how["layout"] == "complex":
        return torch.view_as_complex(parts[0])
    if how["layout"] == "coo":
        made = torch.sparse_coo_tensor(parts[0], unpack(parts[1:], how["values"]), how["shape"])
        return made._coalesced_(how["coalesced"])
    return _BY_NAME[how["layout"]](parts[0], parts[1], unpack(parts[2:], how["values"]), how["shape"])


def parts_of(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Dense real tensors that say what it holds; none where it cannot be looked into."""
    packed = pack(tensor)
    return [] if packed is None else packed[0]


def are_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """``torch.equal``, which knows no sparse layout; False of tensors that cannot be looked into."""
    if a.shape != b.shape or a.layout is not b.layout:
        return False
    if a.layout is torch.strided:
        return torch.equal(a, b)
    mine, theirs = parts_of(a), parts_of(b)
    return len(mine) > 0 and all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(mine, theirs))
