"""
The tape of one optimizer step: the calls of root modules as black boxes, and the torch functions between their
outputs and the tensors given to ``backward()``. Parameters stay live references, data are cloned, and whatever does
not depend on weights is folded into its result; so the tape can be run again at other weights (see program.py).
"""

from __future__ import annotations

import os
import sys
import threading
import types
import weakref
from typing import Any, Callable, Optional

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from . import random_streams
from .guard import guarded
from .packing import are_equal
from .structures import Ref, map_tensors, tensor_paths, tensors_in
from .versions import AutocastState, autocast_state, version_of

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
_TORCH_FOLDER = os.path.dirname(os.path.abspath(torch.__file__))
_DISTRIBUTIONS = os.path.join(_TORCH_FOLDER, "distributions", "")


class Slot(Ref):
    """A value made on the tape, by number."""

    __slots__ = ("index", "shape")

    def __init__(self, index: int, shape: "tuple[int, ...]" = ()) -> None:
        self.index = index
        self.shape = shape


class Leaf(Ref):
    """
    Data: a clone of a tensor as it was when first read. ``source`` says how to get it from a loader's batch; ``filled``
    that the script has made it of one number (``torch.ones``).
    """

    __slots__ = ("tensor", "source", "filled")

    def __init__(self, tensor: torch.Tensor, source: Any = None, filled: bool = False) -> None:
        self.tensor = tensor
        self.source = source
        self.filled = filled


class Live(Ref):
    """A parameter: the object itself, so that other weights can be put into it."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


class ModuleState:
    """What a module's call may change: buffers and frozen parameters (cloned), and attributes (shallow)."""

    __slots__ = ("tensors", "attributes")

    def __init__(self) -> None:
        #: (owner's dictionary, key, clone); the dictionary is ``_buffers`` or ``_parameters`` of a submodule
        self.tensors: list[tuple[dict[str, Any], str, torch.Tensor]] = []
        #: (submodule, its plain attributes)
        self.attributes: list[tuple[nn.Module, dict[str, Any]]] = []


class Entry:
    """One recorded call."""

    __slots__ = (
        "kind",  # 'module', 'function', or 'call' for opaque callables
        "func",
        "name",
        "args",
        "kwargs",
        "outputs",  # [(path, slot number)]
        "shapes",  # of the outputs
        "mutated",  # [(ref, slot number)]: arguments changed in place go on under a new number
        "reads",  # slot numbers
        "grad",
        "autocast",
        "streams",  # states before the call of the random streams that it moved
        "training",  # [(submodule, flag)]
        "before",  # ModuleState before the call, of what it changed
        "problem",
        "line",  # 'train.py:12'
    )

    def __init__(self, kind: str, func: Any, name: str) -> None:
        self.kind = kind
        self.func = func
        self.name = name
        self.reads: list[int] = []
        self.outputs: list[tuple[Any, int]] = []
        self.shapes: list[tuple[int, ...]] = []
        self.mutated: list[tuple[Any, int]] = []
        self.streams: random_streams.Streams = {}
        self.training: list[tuple[nn.Module, bool]] = []
        self.before = ModuleState()
        self.problem: Optional[str] = None
        self.autocast: AutocastState = ()
        self.grad = True
        self.args: Any = ()
        self.kwargs: Any = {}
        self.line: Optional[str] = None


class Look:
    """A value of the tape that left it as a Python number (``item``, ``float``, ``if loss > …``) or array."""

    __slots__ = ("name", "slot", "position", "line", "value")

    def __init__(self, name: str, slot: int, position: int, line: Optional[str], value: Any) -> None:
        self.name = name
        self.slot = slot
        self.position = position
        self.line = line
        self.value = value


#: Functions through which a tensor's value becomes Python's; nothing behind them can be seen.
_LOOKS = {"item", "__float__", "__int__", "__bool__", "tolist", "numpy", "__array__", "__index__"}
#: Functions that make no new value.
_SKIPPED = {
    "backward", "requires_grad_", "register_hook", "__repr__", "__format__", "__len__", "size", "dim", "numel",
    "is_complex", "is_floating_point", "is_tensor", "retain_grad", "stride", "storage", "untyped_storage",
    "_set_grad_enabled", "data_ptr", "__hash__", "element_size", "type", "__set__", "dim_order", "is_contiguous",
    "storage_offset", "get_device", "is_same_size", "register_post_accumulate_grad_hook", "__torch_dispatch__",
}  # fmt: skip
#: What makes a tensor of one number.
_FILLING = {"ones", "zeros", "full", "ones_like", "zeros_like", "full_like", "new_ones", "new_zeros", "new_full", "fill_", "zero_"}
#: Properties that make a tensor from a tensor.
_TENSOR_PROPERTIES = (".T.__get__", ".mT.__get__", ".H.__get__", ".mH.__get__", ".data.__get__", ".real.__get__", ".imag.__get__")  # fmt: skip

_INTERNAL = {"_parameters", "_buffers", "_modules", "training", "_forward_hooks", "_backward_hooks", "_forward_pre_hooks"}


class Recorder(TorchFunctionMode):  # type: ignore[misc]
    """Records while :attr:`on`; pushed on the function mode stack of the training thread by the interception."""

    def __init__(self, failed: Callable[[str, BaseException], None]) -> None:
        super().__init__()
        self.failed = failed
        self.on = False
        self.depth = 0  # inside a black box or the backward pass
        self.busy = False
        self.thread = threading.get_ident()
        #: called behind each recorded call
        self.on_entry: Optional[Callable[[Entry], None]] = None
        #: ids of tensors that optimizers update; told by the interception
        self.trained: set[int] = set()
        #: whether it is noted which tensors batches are taken from by hand; they are kept alive for that
        self.notes_rows = False
        self._clones: dict[int, tuple[Any, int, torch.Tensor]] = {}
        self._facts: "weakref.WeakKeyDictionary[nn.Module, _Facts]" = weakref.WeakKeyDictionary()
        self.reset()

    def reset(self) -> None:
        """Forgets the step."""
        self.entries: list[Entry] = []
        self.looks: list[Look] = []
        self._refs: dict[int, Ref] = {}
        self._versions: dict[int, int] = {}
        self._kept: list[Any] = []  # keeps ids valid
        self._slots = 0
        #: id of a tensor → where it came from: ('batch', field, loader, number of the batch), ('rows', whole tensor,
        #: how many) or ('computed', func, args, kwargs, path) of tensors that have one
        self.sources: dict[int, Any] = {}
        #: ids of tensors that the step has made of one number
        self._filled: set[int] = set()

    def recording_here(self) -> bool:
        return self.on and not self.depth and not self.busy and threading.get_ident() == self.thread

    def slot_of(self, tensor: torch.Tensor) -> Optional[int]:
        ref = self._refs.get(id(tensor))
        return ref.index if isinstance(ref, Slot) else None

    def tag(self, tensor: torch.Tensor, source: Any) -> None:
        """Notes where a data tensor comes from."""
        self._kept.append(tensor)
        self.sources[id(tensor)] = source

    # ---- one call -------------------------------------------------------------------------------------------------
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not self.recording_here():
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        if name == "__get__":
            name = resolve_name(func) or ""
            if not name.endswith(_TENSOR_PROPERTIES):
                return func(*args, **kwargs)
        if name in _LOOKS:
            value = _called_by_the_user(func, args, kwargs)
            slot = self.slot_of(args[0]) if args else None
            if slot is not None and not _validates_a_distribution():
                self.looks.append(Look(name, slot, len(self.entries), _user_line(), value))
            return value
        if name in _SKIPPED:
            return func(*args, **kwargs)
        return self.record("function", func, name, args, kwargs, lambda: func(*args, **kwargs))

    def record(
        self,
        kind: str,
        func: Any,
        name: str,
        args: Any,
        kwargs: Any,
        call: Callable[[], Any],
        always: bool = False,
    ) -> Any:
        """Makes the call and notes it when it depends on weights (or ``always``)."""

        def watched(once: Callable[[], Any]) -> Any:
            if always or self._depends((args, kwargs)):
                return self._record(kind, func, name, args, kwargs, once)
            return self._fold(func, args, kwargs, once)

        self.busy = True
        try:
            return guarded(call, watched, lambda error: self.failed(name, error))
        finally:
            self.busy = False

    def _fold(self, func: Any, args: Any, kwargs: Any, call: Callable[[], Any]) -> Any:
        """A call on data alone: only its result matters, and how it follows from the loader's batch."""
        sourced = any(id(t) in self.sources for t in tensors_in((args, kwargs)))
        out = call()
        if getattr(func, "__name__", "") in _FILLING and isinstance(out, torch.Tensor):
            self._kept.append(out)
            self._filled.add(id(out))
        if self.notes_rows and self._takes_rows(func, args, out):
            self.tag(out, ("rows", args[0], int(out.shape[0])))
            return out
        if sourced:

            def as_leaf(t: Any) -> Any:
                return Leaf(t, self.sources[id(t)]) if id(t) in self.sources else t

            encoded = map_tensors(as_leaf, (args, kwargs))
            for path, t in tensor_paths(out):
                if id(t) not in self.sources:
                    self.tag(t, ("computed", func, encoded[0], encoded[1], path))
        return out

    def _takes_rows(self, func: Any, args: Any, out: Any) -> bool:
        """
        Whether the call is a batch taken by hand, ``x[rows]``. Rows that themselves came from somewhere (a permutation)
        are no source of their own: then it is computed from those.
        """
        name = getattr(func, "__name__", "")
        if not (name == "__getitem__" and len(args) == 2 or name == "index_select" and len(args) == 3 and args[1] == 0):
            return False
        whole, index = args[0], args[-1]
        if not isinstance(whole, torch.Tensor) or not isinstance(out, torch.Tensor) or whole.dim() == 0:
            return False
        if isinstance(index, (int, tuple)) or index is None or index is Ellipsis:
            return False
        if any(id(t) in self.sources for t in tensors_in(index)):
            return False
        known = self.sources.get(id(whole))
        # Part of a loader's batch is a part of that.
        return (known is None or known[0] == "rows") and out.dim() == whole.dim() and 0 < out.shape[0] <= whole.shape[0]

    def _record(self, kind: str, func: Any, name: str, args: Any, kwargs: Any, call: Callable[[], Any]) -> Any:
        entry = Entry(kind, func, name)
        entry.line = _user_line()
        cut = name == "detach" or name.endswith(".data.__get__")  # values of an earlier step come in as constants
        entry.args, entry.kwargs = self._encode((args, kwargs), entry, cut)
        entry.grad = torch.is_grad_enabled()
        entry.autocast = autocast_state()
        facts = self._before_module(func, entry) if isinstance(func, nn.Module) else None
        inputs = [] if facts is not None else tensors_in((args, kwargs))
        versions = [version_of(t) for t in inputs]
        streams = random_streams.read_streams()
        out = call()
        entry.streams = random_streams.drawn_from(streams)
        outputs = list(tensor_paths(out))
        for path, t in outputs:
            entry.outputs.append((path, self._new_slot(t)))
            entry.shapes.append(tuple(t.shape))
        made = {id(t) for _, t in outputs}
        changed = False
        for t, version, ref in zip(inputs, versions, tensors_in((entry.args, entry.kwargs))):
            if version_of(t) != version:
                changed = True
                if id(t) not in made and isinstance(ref, Ref):
                    entry.mutated.append((ref, self._new_slot(t)))
                    made.add(id(t))
        if changed:
            self._renumber_aliases(entry, made)
        if facts is not None:
            facts.after(entry)
        self.entries.append(entry)
        if self.on_entry is not None:
            self.on_entry(entry)
        return out

    def _new_slot(self, tensor: torch.Tensor) -> int:
        index = self._slots
        self._slots += 1
        self._refs[id(tensor)] = Slot(index, tuple(tensor.shape))
        self._versions[id(tensor)] = version_of(tensor)
        self._kept.append(tensor)
        return index

    def _renumber_aliases(self, entry: Entry, made: set[int]) -> None:
        """An in-place change reaches every view of the same storage: later reads of those depend on this entry too."""
        for t in self._kept[-256:]:
            if not isinstance(t, torch.Tensor) or id(t) in made:
                continue
            ref = self._refs.get(id(t))
            if isinstance(ref, Slot) and self._versions.get(id(t)) != version_of(t):
                made.add(id(t))
                entry.mutated.append((ref, self._new_slot(t)))

    # ---- references -----------------------------------------------------------------------------------------------
    def _depends(self, value: Any) -> bool:
        for t in tensors_in(value):
            if isinstance(self._refs.get(id(t)), Slot) or t.requires_grad or isinstance(t, nn.Parameter):
                return True
        return False

    def _encode(self, value: Any, entry: Entry, cut: bool) -> Any:
        def encode(t: Any) -> Any:
            if not isinstance(t, torch.Tensor):
                return t
            is_parameter = isinstance(t, nn.Parameter) and t.is_leaf
            ref = None if is_parameter else self._refs.get(id(t))
            if isinstance(ref, Slot):
                entry.reads.append(ref.index)
                return ref
            if is_parameter or (t.is_leaf and t.requires_grad and (id(t) in self.trained or not self.trained)):
                return Live(t)
            if isinstance(ref, Leaf) and self._versions.get(id(t)) == version_of(t):
                return ref
            if t.requires_grad and not t.is_leaf and not cut and entry.problem is None:
                entry.problem = (
                    f"a tensor of shape {list(t.shape)} that needs a gradient was made where the tape cannot see it"
                    f" ({type(t.grad_fn).__name__})"
                )
            leaf = Leaf(self._clone(t), self.sources.get(id(t)), id(t) in self._filled)
            self._refs[id(t)] = leaf
            self._versions[id(t)] = version_of(t)
            self._kept.append(t)
            return leaf

        return map_tensors(encode, value)

    def _clone(self, t: torch.Tensor) -> torch.Tensor:
        """A clone, once for data that come again and again unchanged (a full batch)."""
        known = self._clones.get(id(t))
        version = version_of(t)
        if known is not None and known[0]() is t and known[1] == version and version >= 0:
            return known[2]
        with torch.no_grad():
            clone = t.detach().clone()
        if t.requires_grad and t.is_leaf:
            clone.requires_grad_()
        if len(self._clones) > 64:
            self._clones = {k: v for k, v in self._clones.items() if v[0]() is not None}
            if len(self._clones) > 64:
                self._clones.clear()
        self._clones[id(t)] = (weakref.ref(t), version, clone)
        return clone

    # ---- modules --------------------------------------------------------------------------------------------------
    def _before_module(self, module: nn.Module, entry: Entry) -> "_Facts":
        facts = self._facts.get(module)
        if facts is None:
            facts = self._facts[module] = _Facts()
        facts.before(unwrap(module), entry)
        return facts


class _Facts:
    """What was learnt of a root module: which of its buffers a call changes. Only those are cloned at every call."""

    def __init__(self) -> None:
        self.moving: Optional[set[tuple[int, str]]] = None

    def before(self, module: nn.Module, entry: Entry) -> None:
        for submodule in module.modules():
            entry.training.append((submodule, submodule.training))
            if isinstance(submodule, torch.jit.ScriptModule):
                continue
            plain = {k: v for k, v in submodule.__dict__.items() if k not in _INTERNAL}
            entry.before.attributes.append((submodule, plain))
            for owner, key, tensor in _frozen_tensors(submodule):
                if self.moving is None or (id(owner), key) in self.moving:
                    entry.before.tensors.append((owner, key, tensor.detach().clone()))

    def after(self, entry: Entry) -> None:
        state = entry.before
        if self.moving is None:
            moved = [x for x in state.tensors if not _equal(x[0].get(x[1]), x[2])]
            self.moving = {(id(owner), key) for owner, key, _ in moved}
            state.tensors = moved
        state.attributes = [
            (module, plain)
            for module, plain in state.attributes
            if any(_moved(k, v, module.__dict__) for k, v in plain.items())
            or any(k not in plain for k in module.__dict__ if k not in _INTERNAL)
        ]


def _moved(key: str, value: Any, now: dict[str, Any]) -> bool:
    if key not in now:
        return True
    return now[key] is not value and not (isinstance(value, (int, float, str)) and now[key] == value)


def _equal(a: Any, b: torch.Tensor) -> bool:
    return isinstance(a, torch.Tensor) and are_equal(a.detach(), b)


def _frozen_tensors(module: nn.Module) -> list[tuple[dict[str, Any], str, torch.Tensor]]:
    """Buffers, and parameters that need no gradient: momentum encoders write them in their forward pass."""
    found: list[tuple[dict[str, Any], str, torch.Tensor]] = []
    for key, t in module._buffers.items():
        if t is not None:
            found.append((module._buffers, key, t))
    for key, p in module._parameters.items():
        if p is not None and not p.requires_grad:
            found.append((module._parameters, key, p))
    return found


def unwrap(module: nn.Module) -> nn.Module:
    """The script's own module behind ``torch.compile`` and DistributedDataParallel, which hide second derivatives."""
    inner = getattr(module, "_orig_mod", module)
    if type(inner).__name__ == "DistributedDataParallel":
        inner = inner.module
    return inner if isinstance(inner, nn.Module) else module


def _user_frame() -> Optional[types.FrameType]:
    """The innermost one that is the user's own."""
    frame: Optional[types.FrameType] = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith((_OWN_FOLDER, _TORCH_FOLDER, "<")):
            return frame
        frame = frame.f_back
    return None


def _user_line() -> Optional[str]:
    """'file.py:12' of that frame."""
    frame = _user_frame()
    return None if frame is None else f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


_CALL = (lambda func, args, kwargs: func(*args, **kwargs)).__code__  # noqa: E731


def _called_by_the_user(func: Any, args: Any, kwargs: Any) -> Any:
    """The call as from the user's line, which is where torch's warnings of it belong, each once a line."""
    frame = _user_frame()
    if frame is None:
        return func(*args, **kwargs)
    code = _CALL.replace(co_filename=frame.f_code.co_filename, co_firstlineno=frame.f_lineno)
    return types.FunctionType(code, frame.f_globals)(func, args, kwargs)


def _validates_a_distribution() -> bool:
    """
    Whether the value is looked at by ``torch.distributions``, which only raises where an argument is out of its range:
    no branch that another one could take.
    """
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_OWN_FOLDER) and os.path.dirname(name) != _TORCH_FOLDER:
            return name.startswith(_DISTRIBUTIONS)
        frame = frame.f_back  # type: ignore[assignment]
    return False


def slice_for(entries: list[Entry], slots: set[int]) -> list[Entry]:
    """The entries that the given slots depend on, in order."""
    needed = set(slots)
    kept: list[Entry] = []
    for entry in reversed(entries):
        made = {s for _, s in entry.outputs} | {s for _, s in entry.mutated}
        if made & needed:
            kept.append(entry)
            needed.update(entry.reads)
            for ref, s in entry.mutated:
                if s in needed and isinstance(ref, Slot):
                    needed.add(ref.index)
    kept.reverse()
    return kept
