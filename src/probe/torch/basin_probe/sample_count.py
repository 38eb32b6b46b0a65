"""How many samples a step's loss is over, told from the shapes of what it reads; or that it cannot be told."""

from __future__ import annotations

from typing import Any, Optional

from torch import nn
from torch.nn.utils.rnn import PackedSequence

from .loss_site import judged
from .program import Program
from .structures import tensors_in
from .tape import Entry, Leaf, Ref, Slot


def count_samples(program: Program) -> Optional[int]:
    """
    The samples behind a step's loss, None where they cannot be told; notes in the program whether what it reads has a row
    for each.

    The leading size that most data of the module calls share (of all leaves without modules). Predictions have the last
    word where there are fewer of them: of one big graph those nodes are samples that the loss judges, of a batch of
    graphs or packed sequences whatever has one prediction, of a state without a batch dimension there is one. Several
    predictions of sizes that do not fit each other (a differential equation's inside and border) are no number of
    samples. Micro-batches of gradient accumulation, which are several terms of one form, add up.
    """
    total = 0
    by_rows = True
    forms: dict[str, int] = {}
    for term in program.terms:
        form = " ".join(e.name for e in term.entries)
        rows = _leading_size(term.entries)
        size = _by_predictions(program, term.entries, rows)
        if size is None:
            program.counted, program.rows_are_samples = False, False
            return None
        by_rows = by_rows and size == rows and not any(_is_packed(e) for e in term.entries)
        if form in forms:
            total += size
        elif not forms:
            total = size
        else:
            total = max(total, size)
        forms[form] = size
    program.rows_are_samples = by_rows
    return max(1, total)


def _by_predictions(program: Program, entries: list[Entry], rows: int) -> Optional[int]:
    """Samples of a term whose modules read so many rows; None where they cannot be counted."""
    if rows == 1:
        return 1
    if _called_with_sizes_that_differ(entries):
        return None
    mine = {id(e) for e in entries}
    sizes = {_size(ref) for entry, ref in judged(program) if id(entry) in mine}
    if not sizes:
        return 1 if _is_single(entries) else rows
    # Several answers of each sample: its tokens, its pixels.
    if all(size % rows == 0 for size in sizes):
        return rows
    if len(sizes) > 1:
        return None
    return min(rows, sizes.pop())


def _is_packed(entry: Entry) -> bool:
    return any(isinstance(value, PackedSequence) for value in (*entry.args, *entry.kwargs.values()))


def _called_with_sizes_that_differ(entries: list[Entry]) -> bool:
    """Whether one module is called with rows of several numbers, none of them all the others' divisor."""
    sizes: dict[int, set[int]] = {}
    for entry in entries:
        rows = [r.tensor.shape[0] for r in tensors_in((entry.args, entry.kwargs)) if isinstance(r, Leaf) and r.tensor.dim() > 0]
        if entry.kind == "module" and rows:
            sizes.setdefault(id(entry.func), set()).add(int(rows[0]))
    return any(size % min(found) for found in sizes.values() for size in found)


def _size(ref: Ref) -> int:
    shape: Any = ref.shape if isinstance(ref, Slot) else ref.tensor.shape  # type: ignore[attr-defined]
    return int(shape[0]) if len(shape) > 0 else 1


def _is_single(entries: list[Entry]) -> bool:
    """Whether modules are given numbers in one row and answer with another number of them: one state, no batch."""
    found = False
    for entry in entries:
        if entry.kind != "module":
            continue
        for ref in tensors_in((entry.args, entry.kwargs)):
            if not isinstance(ref, Leaf) or ref.tensor.dim() == 0:
                continue
            if ref.tensor.dim() > 1 or not ref.tensor.is_floating_point():
                return False
            size = int(ref.tensor.shape[0])
            if not entry.shapes or any(len(s) != 1 for s in entry.shapes):
                return False
            # As many answers as numbers are those of a batch of single numbers, unless a layer takes them as one row.
            if any(s[0] == size for s in entry.shapes) and _first_width(entry.func) != size:
                return False
            found = True
    return found


def _first_width(module: nn.Module) -> Optional[int]:
    """Of what the first linear layer reads; None without any."""
    return next((m.in_features for m in module.modules() if isinstance(m, nn.Linear)), None)


def _leading_size(entries: list[Entry]) -> int:
    for only_modules in (True, False):
        votes: dict[int, int] = {}
        for entry in entries:
            if only_modules and entry.kind != "module":
                continue
            for ref in tensors_in((entry.args, entry.kwargs)):
                if isinstance(ref, Leaf) and ref.tensor.dim() > 0:
                    size = int(ref.tensor.shape[0])
                    votes[size] = votes.get(size, 0) + 1
        if votes:
            return max(votes, key=lambda s: (votes[s], s))
    return 1
