"""
Recognising validation data: a forward pass without gradient followed by the same loss function, or the batches of a
second loader. Either way they become batches of the training loss's own program, so that both splits are judged alike.
"""

from __future__ import annotations

from typing import Optional

import torch

from . import random_streams
from .evaluation_set import Gatherer, fingerprints
from .loss_site import LossSite, find_sites
from .objective import Objective
from .program import Batch, Operation, Program, batches_read, from_loader, make_terms
from .sample_count import count_samples
from .structures import tensors_in
from .tape import Entry, Leaf, Live, Recorder, unwrap

#: Passes in a row that bring no new sample: the script's data have been seen.
_STALE_PASSES = 2
#: Batches of training samples in a row behind which the rest of a pass is not looked at.
_LEFT_OUT = 2
_SECOND_LOADER = "a second DataLoader"


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
        #: the model was evaluated
        self.looked = False
        #: the same calls came to a loss at other targets
        self.other_targets = False
        #: batches that may be training's were let go of
        self.untold = False
        #: what comes now is evaluated where the script may be in the midst of a training step
        self.strict = False
        #: (fingerprints, whether they came so) of each batch
        self._marks: list[tuple[list[float], bool]] = []
        self._seen: set[float] = set()
        self._left_out_in_a_row = 0
        self._stale = 0
        #: (samples kept, samples left out) before the pass under way
        self._before = (0, 0)
        #: of the program that they are of
        self._sites: Optional[tuple[Program, list[LossSite]]] = None

    @property
    def looks_trained(self) -> bool:
        """Whether the pass under way brings training samples."""
        return self._left_out_in_a_row >= _LEFT_OUT

    @property
    def done(self) -> bool:
        return self.count >= self.wanted or self._stale >= _STALE_PASSES

    @property
    def sure(self) -> bool:
        """Whether the script does not train on what was kept: of data by hand it has to be seen what it trains on."""
        return self.source == _SECOND_LOADER or self.train.complete

    @property
    def why_none(self) -> Optional[str]:
        """Why there are no validation data although the script evaluates its model; None where it does not, as far as is seen."""
        if self.count:
            return None
        if self.untold:
            return (
                "What the script evaluates without gradient may be data that it trains on, of which the first"
                f" {self.train.count} samples are known: the run has no validation data. A DataLoader of their own, or"
                " eval() around the evaluation, tells them apart."
            )
        if self.left_out:
            return "What the script evaluates without gradient are samples that it trains on: the run has no validation data."
        if not self.looked or not self.objective.train:
            return None
        if self.other_targets:
            why = "the loss that follows there is at another target, of one number, than the one that it trains with"
        elif self._loss_sites():
            why = "no loss by the function that it trains with follows there"
        else:
            why = "its loss comes from inside of the model, or from no loss function of torch's"
        return (
            f"The script evaluates its model without gradient, but {why}: the run has no validation data. A DataLoader of"
            " their own tells them."
        )

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
        # What is evaluated outside of eval() may be any batch that is trained on, unless all of these are known.
        told = [x for x in zip(self.objective.validation, self._marks) if self.train.complete or not x[1][1]]
        self.untold = len(told) < len(self.objective.validation)
        kept = [(batch, marks) for batch, marks in told if not self._trained(marks[0])]
        found = sum(self.train.known(marks) for _, (marks, _) in kept)
        # All of the training data, evaluated at once: most of it has not been trained on so far.
        if found * 2 >= min(self.train.count, sum(len(marks) for _, (marks, _) in kept)) > 0:
            kept, found = [], 0
        self.left_out += sum(batch.samples for batch, _ in told) - sum(batch.samples for batch, _ in kept)
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
        self._marks.append((marks, self.strict and source != _SECOND_LOADER))
        self.count += samples
        return True

    def _keeps_constants(self, leaves: list[torch.Tensor]) -> bool:
        """
        Whether what the script fills with one number at every training step (a GAN's target of ones) is of that number
        here: with another one the same calls are another loss, that of the opponent. Labels that happen to be of one
        number (of a rare class, of a sorted data set) are read from somewhere, and none of these.
        """
        train = self.objective.programs[0]
        batches = [b.leaves for b in self.objective.train if b.program is train]
        for i, (leaf, here) in enumerate(zip(train.leaves, leaves)):
            if not leaf.filled or leaf.tensor.dim() == 0:
                continue
            number = _only_number(leaf.tensor)
            if number is not None and all(_only_number(b[i]) == number for b in batches) and _only_number(here) != number:
                self.other_targets = True
                return False
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
        return self._keep(leaves, int(fields[0].shape[0]), _SECOND_LOADER)

    def is_loss(self, entry: Entry) -> bool:
        """Whether a recorded call is of the function that the objective trains with, at whatever data."""
        return any(entry.name == site.operation.entry.name for site in self._loss_sites())

    def _loss_sites(self) -> list[LossSite]:
        """Those of the training loss, looked for once: this is asked at every call of a pass."""
        train = self.objective.programs[0]
        if self._sites is None or self._sites[0] is not train:
            self._sites = (train, find_sites(train))
        return self._sites[1]

    def from_tape(self, recorder: Recorder, entry: Entry, trained: "set[int]") -> bool:
        """
        A recorded call without gradient; kept when it is the training loss's function on the same modules.

        :param trained: loaders that bring what training reads, by id: their batches are no validation data
        """
        if self.done or entry.grad or not self.objective.train or not entry.outputs:
            return False
        train = self.objective.programs[0]
        self.looked = self.looked or any(unwrap(entry.func) is m for m in train.modules if entry.kind == "module")
        sites = self._loss_sites()
        if len(sites) != 1 or not sites[0].alone or not self.is_loss(entry):
            return False
        terms = make_terms(recorder.entries, [], [(entry.outputs[0][1], None, 0.0)])
        program = Program(terms)
        leaves = _by_place(train, program)
        if leaves is None:
            leaves = _match(train, sites[0].operation, program)
        if leaves is None or not self._keeps_constants(leaves):
            return False
        sizes = [int(t.shape[0]) for t, old in zip(leaves, train.leaves) if t is not old.tensor and t.dim() > 0]
        samples = count_samples(program) or (sizes[0] if sizes else 1)
        if any(loader in trained for loader, _ in batches_read(program)):
            self._leave_out(samples)
            return False
        return self._keep(leaves, samples, "forward passes without gradient")


def _only_number(t: torch.Tensor) -> Optional[float]:
    """What all elements of a real tensor are; None where they differ, or are NaN."""
    if t.layout is not torch.strided or t.is_complex() or t.numel() == 0:
        return None
    first = t.flatten()[0]
    return float(first) if bool((t == first).all()) else None


def _by_place(train: Program, other: Program) -> Optional[list[torch.Tensor]]:
    """The other program's leaves, where it is the same calls from the data to the loss; None where it is not."""
    if len(train.entries) != len(other.entries) or len(train.leaves) != len(other.leaves):
        return None
    for a, b in zip(train.entries, other.entries):
        if a.kind != b.kind or a.name != b.name or type(a.func) is not type(b.func):
            return None
        left, right = tensors_in((a.args, a.kwargs)), tensors_in((b.args, b.kwargs))
        if [type(x) for x in left] != [type(y) for y in right]:
            return None
        if any(isinstance(x, Live) and x.tensor is not y.tensor for x, y in zip(left, right)):
            return None
    pairs = [(a.tensor, b.tensor) for a, b in zip(train.leaves, other.leaves)]
    same = all(a.dtype == b.dtype and a.dim() == b.dim() and a.shape[1:] == b.shape[1:] and a.layout is b.layout for a, b in pairs)
    return [b for _, b in pairs] if same else None


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
