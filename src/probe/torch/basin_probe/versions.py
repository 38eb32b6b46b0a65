"""What differs between torch releases from 1.13 on, in one place."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, ContextManager, Iterator

import torch

optimizer_module = importlib.import_module("torch.optim.optimizer")
stateless_module = importlib.import_module("torch.nn.utils.stateless")
dataloader_module = importlib.import_module("torch.utils.data.dataloader")

#: Before 2.0 indexing bypasses the function mode, autograd functions have no ``apply`` of their own, and optimizers no
#: global step hooks.
BEFORE_2 = int(torch.__version__.split(".")[0]) < 2

HAS_STEP_HOOKS = hasattr(optimizer_module, "register_optimizer_step_post_hook")

#: (device type, enabled, dtype) of the autocast contexts that a call saw
AutocastState = tuple


def autocast_state() -> AutocastState:
    """Autocast contexts that are on; empty for the usual case of none."""
    on = []
    for device in ("cpu", "cuda"):
        if BEFORE_2 or not _takes_device():
            enabled = torch.is_autocast_cpu_enabled() if device == "cpu" else torch.is_autocast_enabled()
            dtype = torch.get_autocast_cpu_dtype() if device == "cpu" else torch.get_autocast_gpu_dtype()
        else:
            enabled, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        if enabled:
            on.append((device, dtype))
    return tuple(on)


def _takes_device() -> bool:
    return hasattr(torch, "get_autocast_dtype")


@contextlib.contextmanager
def autocast(state: AutocastState) -> Iterator[None]:
    """Enters the autocast contexts of a recorded call."""
    with contextlib.ExitStack() as stack:
        for device, dtype in state:
            stack.enter_context(torch.autocast(device, dtype=dtype))
        yield


@contextlib.contextmanager
def no_autocast() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for device, dtype in autocast_state():
            stack.enter_context(torch.autocast(device, dtype=dtype, enabled=False))
        yield


def top_function_mode() -> Any:
    """The innermost TorchFunctionMode of this thread, or None."""
    get = getattr(torch.overrides, "_get_current_function_mode", None)
    return get() if get is not None else torch._C._get_torch_function_mode()  # type: ignore[attr-defined]


def exact_attention() -> ContextManager[Any]:
    """Attention by plain matrix products, which has a second derivative where the fused kernels have none."""
    attention = getattr(torch.nn, "attention", None)
    if attention is None and not BEFORE_2:
        with contextlib.suppress(ImportError):
            attention = importlib.import_module("torch.nn.attention")
    if attention is not None and hasattr(attention, "sdpa_kernel"):
        return attention.sdpa_kernel(attention.SDPBackend.MATH)
    return contextlib.nullcontext()


def version_of(tensor: torch.Tensor) -> int:
    """Counts in-place changes; inference tensors keep no count."""
    try:
        return tensor._version
    except RuntimeError:
        return -1


#: Whether a count of in-place changes can be put back (torch 2.1).
PUTS_VERSIONS_BACK = hasattr(torch._C._autograd, "_unsafe_set_version_counter")


def put_versions_back(tensors: list[torch.Tensor], counts: list[int]) -> None:
    """
    Undoes the counting of in-place changes that were made while a tensor pointed at other storage: autograd would
    refuse a graph of the script's that has saved it, though its own data are as they were.
    """
    if not PUTS_VERSIONS_BACK:
        return
    changed = [(t, n) for t, n in zip(tensors, counts) if n >= 0 and version_of(t) != n]
    if not changed:
        return
    put = torch._C._autograd._unsafe_set_version_counter  # type: ignore[attr-defined]
    try:
        put(tuple(t for t, _ in changed), tuple(n for _, n in changed))
    except TypeError:  # one at a time before 2.4
        for t, n in changed:
            put(t, n)


def copy_into(targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
    """targets[i] ← sources[i], in one call where torch has it; the caller disables gradients."""
    foreach = getattr(torch, "_foreach_copy_", None)
    if foreach is not None and targets:
        foreach(targets, sources)
    else:
        for target, source in zip(targets, sources):
            target.copy_(source)
