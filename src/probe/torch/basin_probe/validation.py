"""
Recognising validation data: a forward pass without gradient followed by the same loss function, or the batches of a
second loader. Either way they become batches of the training loss's own program, so that both splits are judged alike.
"""

from __future__ import annotations

from typing import Any, Optional

import torch

from . import random_streams
from .evaluation_set import Gatherer, fingerprints
from .loss_site import find_sites
from .objective import Objective
from .program import Batch, Operation, Program, batches_read, from_loader, make_terms
from .structures import tensors_in
from .tape import Entry, Leaf, Recorder

#: Passes in a row that bring no new sample: the script's data have been seen.
_STALE_PASSES = 2
#: Batches of training samples in a row behind which the rest of a pass is not looked at.
_LEFT_OUT = 2


class ValidationGatherer:
    """
    Takes validation batches of one objective until there are enough samples. What a script evaluates without gradient
    may be its training data (the accuracy that it prints for them): such batches are known by the loader that they
    come from or by their samples, and are none.
    """

    def __init__(self, objective: Objective, samples: int, train: Gatherer) -> None:
        self.objective = objective
        self.wanted = samples
        self.train = train
        self.count = 0
        self.source: Optional[str] = None
        #: samples that were left out because training has them
        self.left_out = 0
        self._marks: list[list[float]] = []
        self._seen: set[float] = set()
        self._left_out_in_a_row = 0
        self._stale = 0
        #: (samples kept, samples left out) before the pass under way
        self._before = (0, 0)

    @property
    def looks_trained(self) -> bool:
        """Whether the pass under way brings training samples."""
        return self._left_out_in_a_row >= _LEFT_OUT

    @property
    def done(self) -> bool:
        return self.count >= self.wanted or self._stale >= _STALE_PASSES

    def pass_ended(self) -> None:
        """Call at the end of each of the script's passes over data that it does not train on."""
        # A pass over training samples says nothing of the next one, which may be over others.
        self._stale = self._stale + 1 if (self.count, self.left_out) == self._before else 0
        self._before = (self.count, self.left_out)
        self._left_out_in_a_row = 0

    def review(self) -> int:
        """
        Call when the training samples are gathered: lets go of batches that are theirs. How many of the samples that
        stay are among them nevertheless.
        """
        kept = [(batch, marks) for batch, marks in zip(self.objective.validation, self._marks) if not self._trained(marks)]
        found = sum(self.train.known(marks) for _, marks in kept)
        # All of the training data, evaluated at once: most of it has not been trained on so far.
        if found * 2 >= min(self.train.count, sum(len(marks) for _, marks in kept)) > 0:
            kept, found = [], 0
        self.left_out += self.count - sum(batch.samples for batch, _ in kept)
        self.objective.validation = [batch for batch, _ in kept]
        self._marks = [marks for _, marks in kept]
        self.count = sum(batch.samples for batch, _ in kept)
        return found

    def _trained(self, marks: list[float]) -> bool:
        return self.train.known(marks) * 2 >= len(marks)

    def _leave_out(self, samples: int) -> None:
        self.left_out += samples
        self._left_out_in_a_row += 1

    def _keep(self, leaves: list[torch.Tensor], samples: int, source: str) -> bool:
        program = self.objective.programs[0]
        # Of its first training batch it takes what does not belong to samples.
        like = self.objective.train[0]
        batch = Batch(leaves, like.numbers, dict(like.streams), like.attributes, samples, -1, None, program)
        marks = fingerprints(batch)
        if self._trained(marks):
            self._leave_out(samples)
            return False
        new = sum(mark not in self._seen for mark in marks)
        if new * 2 < len(marks) or (self.source is not None and self.source != source):
            return False
        self._seen.update(marks)
        self._left_out_in_a_row = 0
        self.source = source
        self.objective.validation.append(batch)
        self._marks.append(marks)
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

    def from_tape(self, recorder: Recorder, entry: Entry, trained: "set[int]") -> bool:
        """
        A recorded call without gradient; kept when it is the training loss's function on the same modules.

        :param trained: loaders that bring what training reads, by id: their batches are no validation data
        """
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
        samples = sizes[0] if sizes else 1
        if any(loader in trained for loader, _ in batches_read(program)):
            self._leave_out(samples)
            return False
        return self._keep(leaves, samples, "forward passes without gradient")


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
