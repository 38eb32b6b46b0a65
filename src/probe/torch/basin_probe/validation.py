"""
Recognising validation data: a forward pass without gradient followed by the same loss function, or the batches of a
second loader. Either way they become batches of the training loss's own program, so that both splits are judged alike.
"""

from __future__ import annotations

from typing import Any, Optional

import torch

from . import random_streams
from .loss_site import find_sites
from .objective import Objective
from .program import Batch, Operation, Program, from_loader, make_terms
from .structures import tensors_in
from .tape import Entry, Leaf, Recorder


class ValidationGatherer:
    """Takes validation batches of one objective until there are enough samples."""

    def __init__(self, objective: Objective, samples: int) -> None:
        self.objective = objective
        self.wanted = samples
        self.count = 0
        self.source: Optional[str] = None
        self._seen: set[tuple] = set()

    @property
    def done(self) -> bool:
        return self.count >= self.wanted

    def _keep(self, leaves: list[torch.Tensor], samples: int, source: str) -> bool:
        program = self.objective.programs[0]
        mark = tuple(float(t.double().sum()) for t in leaves if not t.is_complex())
        if mark in self._seen or (self.source is not None and self.source != source):
            return False
        self._seen.add(mark)
        self.source = source
        # Of its first training batch it takes what does not belong to samples.
        like = self.objective.train[0]
        self.objective.validation.append(
            Batch(leaves, like.numbers, dict(like.streams), like.attributes, samples, -1, None, program)
        )
        self.count += samples
        return True

    def from_loader(self, fields: list[torch.Tensor], like: Optional[list[torch.Tensor]]) -> bool:
        """A batch of a second loader, taken through what the script does with its own."""
        if self.done or not self.objective.train or like is None:
            return False
        if len(fields) != len(like) or any(
            a.dtype != b.dtype or a.dim() != b.dim() or (a.dim() > 0 and a.shape[1:] != b.shape[1:])
            for a, b in zip(fields, like)
        ):
            return False
        streams = random_streams.read_streams()
        try:
            leaves = from_loader(self.objective.programs[0], [[t.detach().clone() for t in fields]], like)
        finally:
            random_streams.write_streams(streams)
        if leaves is None:
            return False
        return self._keep(leaves, int(fields[0].shape[0]), "a second DataLoader")

    def from_tape(self, recorder: Recorder, entry: Entry) -> bool:
        """A recorded call without gradient; kept when it is the training loss's function on the same modules."""
        if self.done or entry.grad or not self.objective.train or not entry.outputs:
            return False
        train = self.objective.programs[0]
        sites = find_sites(train)
        if len(sites) != 1 or not sites[0].alone or entry.name not in (sites[0].operation.entry.name,):
            return False
        terms = make_terms(recorder.entries, [], [(entry.outputs[0][1], None, 0.0)])
        program = Program(terms)
        leaves = _match(train, sites[0].operation, program)
        if leaves is None:
            return False
        sizes = [int(t.shape[0]) for t, old in zip(leaves, train.leaves) if t is not old.tensor and t.dim() > 0]
        return self._keep(leaves, sizes[0] if sizes else 1, "forward passes without gradient")


def _match(train: Program, site: Operation, other: Program) -> Optional[list[torch.Tensor]]:
    """The training program's leaves with those of a validation pass in the places of its samples."""
    samples = max((int(leaf.tensor.shape[0]) for leaf in train.leaves if leaf.tensor.dim() > 0), default=0)
    found: dict[int, torch.Tensor] = {}
    mine = [e for e in train.entries if e.kind == "module" or e is site.entry]
    theirs = [e for e in other.entries if e.kind == "module" or e.name == site.entry.name]
    if len(mine) != len(theirs):
        return None
    index = {id(leaf): i for i, leaf in enumerate(train.leaves)}
    for a, b in zip(mine, theirs):
        if a.kind == "module" and type(a.func) is not type(b.func):
            return None
        left, right = tensors_in((a.args, a.kwargs)), tensors_in((b.args, b.kwargs))
        if len(left) != len(right):
            return None
        for x, y in zip(left, right):
            if isinstance(x, Leaf) and isinstance(y, Leaf):
                if x.tensor.dtype != y.tensor.dtype or x.tensor.shape[1:] != y.tensor.shape[1:]:
                    return None
                found[index[id(x)]] = y.tensor
            elif isinstance(x, Leaf) or isinstance(y, Leaf):
                return None
    leaves: list[torch.Tensor] = []
    for i, leaf in enumerate(train.leaves):
        t = leaf.tensor
        if i not in found and t.dim() > 0 and samples > 1 and t.shape[0] == samples:
            return None  # data of the training samples that validation does not bring
        leaves.append(found.get(i, t))
    return leaves if found else None


def is_second_loader(loader: Any, training: Any) -> bool:
    """Whether a loader brings other data than the one that training reads."""
    if loader is None or training is None or loader is training:
        return False
    return getattr(loader, "dataset", None) is not getattr(training, "dataset", loader)
