"""What a process's own samples add to the gradients, where they are averaged over several processes before anyone sees them."""

from __future__ import annotations

from typing import Any, Callable

import torch

from .tape import Entry


def averaged_over(entries: list[Entry]) -> int:
    """Processes that the gradients of the entries' modules are averaged over."""
    parallel = any(type(e.func).__name__ == "DistributedDataParallel" for e in entries if e.kind == "module")
    return torch.distributed.get_world_size() if parallel and torch.distributed.is_initialized() else 1


class LocalGradients:
    """
    Around a backward pass: hears each parameter's gradient on its way into ``p.grad``. Hooks of tensors run ahead of those
    by which DistributedDataParallel averages, and these change nothing.
    """

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self.parameters = parameters
        #: by parameter id
        self.found: dict[int, torch.Tensor] = {}
        #: not all of them were heard
        self.failed = False
        self._hooks: list[Any] = []

    def __enter__(self) -> LocalGradients:
        for p in self.parameters:
            if p.requires_grad:
                self._hooks.append(p.register_hook(self._listener(id(p))))
        return self

    def __exit__(self, *error: Any) -> None:
        for hook in self._hooks:
            hook.remove()

    def _listener(self, key: int) -> Callable[[torch.Tensor], None]:
        def hear(gradient: torch.Tensor) -> None:
            # This is inside of the script's own backward pass, which ends by nothing of the probe's (no memory for a clone).
            if self.failed:
                return
            try:
                own = gradient.detach().clone()  # averaging writes over it
                self.found[key] = self.found[key] + own if key in self.found else own
            except Exception:
                self.failed = True
                self.found.clear()

        return hear
