"""
A step's tape made ready to run again and again: what is the same in every step of its kind (the program) apart from
what belongs to one batch (leaves, Python numbers, random draws, what modules remembered).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import torch
from torch import nn

from . import random_streams
from .session import set_training
from .structures import Ref, follow, map_numbers, map_tensors, numbers_in, tensors_in
from .tape import Entry, Leaf, Live, Look, Slot, slice_for, unwrap
from .versions import autocast

_DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "dropout_", "feature_dropout"}  # fmt: skip


class Term:
    """One tensor given to ``backward()``: its place on the tape, the weights of its elements, its recorded value."""

    __slots__ = ("slot", "weights", "value", "entries", "looks", "problem")

    def __init__(self, slot: Optional[int], weights: Optional[Leaf], value: float) -> None:
        self.slot = slot
        self.weights = weights
        self.value = value
        self.entries: list[Entry] = []
        self.looks: list[Look] = []
        self.problem: Optional[str] = None


@dataclass
class Batch:
    """What a program needs beside weights to give the loss of one step."""

    leaves: list[torch.Tensor]
    numbers: list[Any]
    #: by operation: states of the random streams that it draws from
    streams: dict[int, random_streams.Streams]
    #: values of the attributes that module calls change, in the order of Program.attributes
    attributes: list[Any]
    samples: int
    #: update whose loss was computed on it; −1 for validation data
    step: int
    #: the recorded loss; None for validation data
    loss: Optional[float]
    program: "Program" = field(repr=False)


class Operation:
    """One call of a program, its arguments compiled to functions of the values so far."""

    __slots__ = ("entry", "index", "call", "args", "kwargs", "outputs", "mutated", "takes_training", "module")

    def __init__(self, index: int, entry: Entry, call: Any, args: Any, kwargs: Any, outputs: Any, mutated: Any) -> None:
        self.index = index
        self.entry = entry
        self.call = call
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.mutated = mutated
        self.module: Optional[nn.Module] = call if entry.kind == "module" else None
        self.takes_training = entry.kind == "function" and entry.name in _DROPOUTS


Getter = Callable[[list, list], Any]


class Values:
    """What a run computed: values by slot, and the leaves that it read."""

    __slots__ = ("slots", "leaves")

    def __init__(self, slots: list[Any], leaves: list[torch.Tensor]) -> None:
        self.slots = slots
        self.leaves = leaves


class Program:
    """
    Runs the entries that a step's losses depend on. Valid as long as the process lives: parameters and modules are the
    script's own, and a session (session.py) puts other weights into them while it runs.
    """

    def __init__(self, terms: list[Term]) -> None:
        """
        :param terms: those of one step, all with a slot
        """
        self.terms = terms
        #: Made from a loss that the script named, not from a tape.
        self.watched = False
        #: What its modules read has one row a sample; and how many samples it is over is known (sample_count.py).
        self.rows_are_samples = True
        self.counted = True
        entries: dict[int, Entry] = {}
        for term in terms:
            for entry in term.entries:
                entries.setdefault(id(entry), entry)
        order = {id(e): i for i, e in enumerate(_in_order(terms, entries))}
        self.entries = sorted(entries.values(), key=lambda e: order[id(e)])
        self.looks = [look for term in terms for look in term.looks]
        self.problem = next((t.problem for t in terms if t.problem is not None), None)
        self._number_slots()
        self._collect()
        self.signature = self._describe()
        self.operations = self._compile(self.entries)
        #: Whether a call changes buffers or frozen parameters when run as trained.
        self.moves_state = any(e.before.tensors for e in self.entries)
        self.needs_grad = any(e.name == "grad" for e in self.entries)
        self._specialised: dict[tuple, list[Operation]] = {}

    # ---- what is in it --------------------------------------------------------------------------------------------
    def _number_slots(self) -> None:
        """Slots in the order they are made, so that two steps of one kind number them alike."""
        self._slots: dict[int, int] = {}
        for entry in self.entries:
            for _, slot in entry.outputs:
                self._slots.setdefault(slot, len(self._slots))
            for _, slot in entry.mutated:
                self._slots.setdefault(slot, len(self._slots))
        self.term_slots = [self._slots[t.slot] for t in self.terms if t.slot is not None]

    def _collect(self) -> None:
        self.leaves: list[Leaf] = []
        self._leaf_index: dict[int, int] = {}
        self.live: list[torch.Tensor] = []
        self.numbers: list[Any] = []
        #: (function, line) of each number
        self.number_sites: list[tuple[str, Optional[str]]] = []
        self.modules: list[nn.Module] = []
        seen_live: set[int] = set()

        def note(ref: Any) -> Any:
            if isinstance(ref, Leaf) and id(ref) not in self._leaf_index:
                self._leaf_index[id(ref)] = len(self.leaves)
                self.leaves.append(ref)
            elif isinstance(ref, Live) and id(ref.tensor) not in seen_live:
                seen_live.add(id(ref.tensor))
                self.live.append(ref.tensor)
            return ref

        for entry in self.entries:
            map_tensors(note, (entry.args, entry.kwargs))
            found = numbers_in((entry.args, entry.kwargs))
            self.numbers.extend(found)
            self.number_sites.extend([(entry.name, entry.line)] * len(found))
            # A watched loss is given its model as an argument.
            for module in [entry.func, *entry.args]:
                if isinstance(module, nn.Module) and all(unwrap(module) is not m for m in self.modules):
                    self.modules.append(unwrap(module))
        for term in self.terms:
            if term.weights is not None:
                note(term.weights)
        self.attributes, self.attribute_values = self._moving_attributes()
        flags: dict[int, bool] = {}
        #: (submodule, flag) as recorded at each one's first call
        self.training: list[tuple[nn.Module, bool]] = []
        self._flags_differ = False
        for entry in self.entries:
            for module, flag in entry.training:
                if flags.setdefault(id(module), flag) != flag:
                    self._flags_differ = True
            self.training.extend(entry.training)

    def _moving_attributes(self) -> tuple[list[tuple[nn.Module, str]], list[Any]]:
        """Attributes that a call changed (a hidden state, a counter), each with its value before the first call."""
        names: list[tuple[nn.Module, str]] = []
        values: list[Any] = []
        seen: set[tuple[int, str]] = set()
        for entry in self.entries:
            for module, plain in entry.before.attributes:
                for key, value in plain.items():
                    if (id(module), key) not in seen:
                        seen.add((id(module), key))
                        names.append((module, key))
                        values.append(_detached(value))
        return names, values

    def _describe(self) -> str:
        """What two steps must share to be of one kind; the same in every process that runs the same script."""
        parts: list[str] = []
        module_number = {id(m): i for i, m in enumerate(self.modules)}
        live_number = {id(t): i for i, t in enumerate(self.live)}

        def describe(value: Any) -> str:
            if isinstance(value, Slot):
                return f"s{self._slots.get(value.index, -1)}"
            if isinstance(value, Leaf):
                t = value.tensor
                return f"d{self._leaf_index[id(value)]}:{t.dtype}:{t.dim()}"
            if isinstance(value, Live):
                return f"p{live_number[id(value.tensor)]}:{list(value.tensor.shape)}"
            if isinstance(value, (bool, int, float)):
                return "n"
            if value is None or isinstance(value, (str, torch.dtype, torch.device)):
                return repr(value)
            if isinstance(value, (list, tuple)):
                return f"({','.join(describe(x) for x in value)})"
            if isinstance(value, dict):
                return "{" + ",".join(f"{k}={describe(x)}" for k, x in value.items()) + "}"
            if isinstance(value, slice):
                return f"[{describe(value.start)}:{describe(value.stop)}:{describe(value.step)}]"
            return f"{type(value).__name__}<{','.join(describe(x) for x in tensors_in(value))}>"

        for entry in self.entries:
            who = ""
            if isinstance(entry.func, nn.Module):
                who = f"#{module_number[id(unwrap(entry.func))]}"
            made = [self._slots[s] for _, s in entry.outputs] + [self._slots[s] for _, s in entry.mutated]
            parts.append(f"{entry.kind} {entry.name}{who} {describe(entry.args)} {describe(entry.kwargs)} {made} {entry.grad}")
        parts.append(str(self.term_slots))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def same_kind(self, other: "Program") -> bool:
        """Whether a batch of the other can be run on this one: the same calls of the same modules."""
        return (
            self.signature == other.signature
            and len(self.modules) == len(other.modules)
            and all(a is b for a, b in zip(self.modules, other.modules))
            and all(a is b for a, b in zip(self.live, other.live))
        )

    def own_batch(self, samples: int, step: int, loss: Optional[float]) -> Batch:
        """The batch that the program was recorded with."""
        streams = {i: e.streams for i, e in enumerate(self.entries) if e.streams}
        leaves = [leaf.tensor for leaf in self.leaves]
        return Batch(leaves, list(self.numbers), streams, list(self.attribute_values), samples, step, loss, self)

    # ---- compiling ------------------------------------------------------------------------------------------------
    def _compile(self, entries: list[Entry], numbers: Optional[list[Any]] = None) -> list[Operation]:
        operations = []
        used = 0
        self.changed_leaves: set[int] = getattr(self, "changed_leaves", set())
        for index, entry in enumerate(entries):
            args, kwargs = entry.args, entry.kwargs
            count = len(numbers_in((args, kwargs)))
            if numbers is not None and count:
                some = iter(numbers[used : used + count])
                args, kwargs = map_numbers(lambda _: next(some), (args, kwargs))
            used += count
            if isinstance(entry.func, nn.Module):
                call: Any = unwrap(entry.func)
            else:
                # Second derivatives need the eager function.
                call = getattr(entry.func, "_torchdynamo_orig_callable", entry.func)
            changes = entry.name.endswith("_") or entry.name in ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__")
            for ref in [r for r, _ in entry.mutated] + (tensors_in((args, kwargs)) if changes else []):
                if isinstance(ref, Leaf):
                    self.changed_leaves.add(self._leaf_index[id(ref)])
            operations.append(
                Operation(
                    index,
                    entry,
                    call,
                    [self._getter(x) for x in args],
                    {k: self._getter(x) for k, x in kwargs.items()},
                    [(path, self._slots[s]) for path, s in entry.outputs],
                    [(self._getter(ref), self._slots[s]) for ref, s in entry.mutated],
                )
            )
        return operations

    def _getter(self, value: Any) -> Getter:
        if isinstance(value, Slot):
            slot = self._slots.get(value.index)
            if slot is None:
                raise ValueError("a value is used before it is made")
            return lambda env, leaves: env[slot]
        if isinstance(value, Leaf):
            leaf = self._leaf_index[id(value)]
            return lambda env, leaves: leaves[leaf]
        if isinstance(value, Live):
            tensor = value.tensor
            return lambda env, leaves: tensor
        if not any(isinstance(x, Ref) for x in tensors_in(value)):
            return lambda env, leaves: value
        if type(value) in (tuple, list):
            kind, getters = type(value), [self._getter(x) for x in value]
            return lambda env, leaves: kind(g(env, leaves) for g in getters)
        # A dictionary, a dataclass, a model's output: rebuilt at every call.
        get = self._getter

        def rebuild(env: list, leaves: list) -> Any:
            return map_tensors(lambda ref: get(ref)(env, leaves) if isinstance(ref, Ref) else ref, value)

        return rebuild

    def operations_for(self, batch: Batch) -> list[Operation]:
        """The program's operations with the batch's own Python numbers."""
        if batch.numbers == self.numbers:
            return self.operations
        key = tuple(batch.numbers)
        if key not in self._specialised:
            self._specialised[key] = self._compile(self.entries, batch.numbers)
        return self._specialised[key]

    # ---- running --------------------------------------------------------------------------------------------------
    def run(
        self,
        batch: Batch,
        *,
        grad: bool,
        inference: bool,
        until: Optional[int] = None,
        overrides: Optional[dict[int, Callable[[Operation, list, dict], Any]]] = None,
    ) -> Values:
        """
        Runs the operations before ``until`` at the weights that are in the parameters now; inside a session only.

        :param overrides: by operation: called with the operation and its arguments instead of the script's function
        Training flags are the caller's to set (``training``), unless two calls of one module differ in them.
        """
        env: list[Any] = [None] * len(self._slots)
        leaves = batch.leaves
        if self.changed_leaves:
            leaves = [t.clone() if i in self.changed_leaves else t for i, t in enumerate(leaves)]
        if any(t.requires_grad for t in leaves):
            leaves = [t.detach().requires_grad_(grad or self.needs_grad) if t.requires_grad else t for t in leaves]
        for (module, key), value in zip(self.attributes, batch.attributes):
            if module.__dict__.get(key, batch) is not value:
                module.__dict__[key] = value
        for operation in self.operations_for(batch)[:until]:
            args = [g(env, leaves) for g in operation.args]
            kwargs = {k: g(env, leaves) for k, g in operation.kwargs.items()}
            if inference and operation.takes_training:
                if len(args) > 2:
                    args[2] = False
                else:
                    kwargs["training"] = False
            streams = batch.streams.get(operation.index)
            if streams:
                random_streams.write_streams(streams)
            if self._flags_differ and operation.module is not None:
                set_training(operation.entry.training, inference)
            call = operation.call
            if overrides is not None and operation.index in overrides:
                override = overrides[operation.index]
                out = override(operation, args, kwargs)
            elif operation.entry.autocast or (grad and not operation.entry.grad):
                with torch.set_grad_enabled(operation.entry.grad and grad), autocast(operation.entry.autocast):
                    out = call(*args, **kwargs)
            else:
                out = call(*args, **kwargs)
            for path, slot in operation.outputs:
                env[slot] = follow(out, path) if path else out
            for getter, slot in operation.mutated:
                env[slot] = getter(env, leaves)
        return Values(env, leaves)

    def terms_of(self, values: Values) -> list[torch.Tensor]:
        """Each term as a scalar tensor."""
        found = []
        for term, slot in zip(self.terms, self.term_slots):
            value = values.slots[slot]
            if term.weights is not None:
                value = (value * values.leaves[self._leaf_index[id(term.weights)]]).sum()
            elif value.dim() > 0:
                value = value.sum()
            found.append(value)
        return found

    def loss_of(self, values: Values) -> torch.Tensor:
        """The step's loss: the sum of what was given to ``backward()``."""
        terms = self.terms_of(values)
        total = terms[0] if terms[0].dtype in (torch.float32, torch.float64) else terms[0].float()
        for value in terms[1:]:
            total = total + value
        return total


def _in_order(terms: list[Term], entries: dict[int, Entry]) -> list[Entry]:
    """Entries of several terms in the order they were made: each term's list is in order, and slots only grow."""
    made = {key: min([s for _, s in e.outputs] + [s for _, s in e.mutated] + [1 << 60]) for key, e in entries.items()}
    return sorted(entries.values(), key=lambda e: made[id(e)])


def _detached(value: Any) -> Any:
    return map_tensors(lambda t: t.detach().clone() if isinstance(t, torch.Tensor) else t, value)


def bind(program: Program, batch: Batch) -> Optional[Batch]:
    """The same data for a program of the same kind; None when it is of another."""
    other = batch.program
    if other is program:
        return batch
    if not program.same_kind(other):
        return None
    by_name = {(id(m), k): v for (m, k), v in zip(other.attributes, batch.attributes)}
    attributes = [by_name.get((id(m), k), v) for (m, k), v in zip(program.attributes, program.attribute_values)]
    return Batch(batch.leaves, batch.numbers, batch.streams, attributes, batch.samples, batch.step, batch.loss, program)


def from_loader(
    program: Program, batches: "list[list[torch.Tensor]]", like: list[torch.Tensor]
) -> Optional[list[torch.Tensor]]:
    """
    The program's leaves for other batches of a loader, computed as the script computed them (moves between devices,
    augmentation). None when the program reads no batch of a loader, or data beside it that belong to its samples.

    :param batches: the fields of as many batches as the program reads (micro-batches of accumulation), or one for all
    :param like: the fields of the batch that the program was recorded with
    """
    if any(len(fields) != len(like) for fields in batches):
        return None
    serials = batches_read(program)

    def given(source: Any) -> Optional[torch.Tensor]:
        return batches[min(serials.index(source[2:]), len(batches) - 1)][source[1]] if source[0] == "batch" else None

    return derived_leaves(program, given, like[0].shape[0] if like and like[0].dim() else None)


def derived_leaves(
    program: Program, given: Callable[[Any], Optional[torch.Tensor]], size: Optional[int]
) -> Optional[list[torch.Tensor]]:
    """
    The program's leaves from other data. None when no leaf follows from what is given, or another belongs to the samples.

    :param given: the tensor in place of one that data came from (a ``Leaf.source`` other than ``computed``)
    :param size: samples of a batch that the program was recorded with
    """

    def value(source: Any) -> Any:
        if source[0] != "computed":
            found = given(source)
            if found is None:
                raise LookupError
            return found
        _, func, args, kwargs, path = source
        args, kwargs = map_tensors(lambda r: value(r.source) if isinstance(r, Leaf) else r, (args, kwargs))
        with torch.no_grad():
            return follow(func(*args, **kwargs), path)

    if all(leaf.source is None for leaf in program.leaves):
        return None
    leaves = []
    for leaf in program.leaves:
        if leaf.source is None and size is not None and leaf.tensor.dim() and leaf.tensor.shape[0] == size and size > 1:
            return None
        try:
            leaves.append(leaf.tensor if leaf.source is None else value(leaf.source))
        except LookupError:
            return None
    return leaves


def sources_of(program: Program) -> list[Any]:
    """Everything that the program's leaves come from: ``batch`` and ``rows`` sources, in order of first use."""
    found: dict[Any, Any] = {}

    def visit(source: Any) -> None:
        if source[0] != "computed":
            found.setdefault((source[0], source[1] if source[0] == "batch" else id(source[1]), *source[2:]), source)
            return
        for ref in tensors_in((source[2], source[3])):
            if isinstance(ref, Leaf):
                visit(ref.source)

    for leaf in program.leaves:
        if leaf.source is not None:
            visit(leaf.source)
    return list(found.values())


def batches_read(program: Program) -> list[Any]:
    """(loader, number) of each batch of a loader that the program reads, in the order they were loaded."""
    return sorted({s[2:] for s in sources_of(program) if s[0] == "batch"}, key=lambda x: x[1])


def make_terms(
    entries: list[Entry],
    looks: list[Look],
    given: list[tuple[Optional[int], Any, float]],
) -> list[Term]:
    """Terms of one ``backward()`` call, each with the entries that it depends on."""
    terms = []
    for slot, weights, value in given:
        leaf = None if weights is None else Leaf(weights.detach().clone())
        term = Term(slot, leaf, value)
        if slot is None:
            term.problem = "the tensor given to backward() was not made on the tape"
        else:
            term.entries = slice_for(entries, {slot})
            term.problem = next((e.problem for e in term.entries if e.problem is not None), None)
            mine = {id(e) for e in term.entries}
            for look in looks:
                if any(id(e) in mine for e in slice_for(entries, {look.slot})):
                    term.looks.append(look)
        terms.append(term)
    return terms
