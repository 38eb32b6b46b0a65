"""Where each parameter lies in a flat vector."""

from __future__ import annotations

import torch

#: Elements that each parameter's start is a multiple of: a view then is aligned as a tensor of its own would be, so
#: that kernels take the same path and give the same bits.
_ALIGNMENT = 16


class Layout:
    """
    A flat vector over the objective's parameters, in their order, each start aligned; the gaps are zero in every
    vector and so count in no product or norm.
    """

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self.parameters = parameters
        self.offsets: list[int] = []
        end = 0
        for p in parameters:
            self.offsets.append(end)
            end += -(-p.numel() // _ALIGNMENT) * _ALIGNMENT
        self.length = end
        self.count = sum(p.numel() for p in parameters)
        self.dtype = torch.float64 if any(p.dtype == torch.float64 for p in parameters) else torch.float32
        self.device = parameters[0].device if parameters else torch.device("cpu")
        #: Whether parameters can be views of a flat vector, so that loading one copies nothing.
        self.direct = all(p.dtype == self.dtype and p.device == self.device and _is_dense(p) for p in parameters)

    def zeros(self) -> torch.Tensor:
        return torch.zeros(self.length, dtype=self.dtype, device=self.device)

    def split(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Views of a flat vector in the parameters' shapes; in their memory order too where they can be views."""
        views = []
        for p, offset in zip(self.parameters, self.offsets):
            if self.direct:
                views.append(flat.as_strided(p.shape, p.stride(), flat.storage_offset() + offset))
            else:
                views.append(flat[offset : offset + p.numel()].view(p.shape))
        return views

    def gather(self, tensors: "list[torch.Tensor | None]") -> torch.Tensor:
        """A flat vector of tensors in the parameters' shapes; None counts as zero."""
        flat = self.zeros()
        with torch.no_grad():
            for view, t in zip(self.split(flat), tensors):
                if t is not None:
                    view.copy_(t)
        return flat


def _is_dense(t: torch.Tensor) -> bool:
    """Whether the strides are those of some order of the axes, without gaps or overlap."""
    expected = 1
    for size, stride in sorted(zip(t.shape, t.stride()), key=lambda x: (x[1], x[0])):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return t.layout == torch.strided
