"""The opt-in for losses that the tape cannot take: the script names model, loss and data in one line."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Optional

import torch
from torch import nn

from . import random_streams
from .program import Batch, Program, Term
from .structures import map_tensors, tensors_in
from .tape import Entry, Leaf, Slot, unwrap


class Watch:
    """
    ``loss`` is one of torch's loss functions or modules, called with the model's output for the first field of a batch
    and its second field; or any function of ``(model, batch)``. It must depend on the model, the batch and torch's
    random numbers alone.
    """

    def __init__(self, model: nn.Module, loss: Callable[..., torch.Tensor], loader: Iterable[Any]) -> None:
        self.model = unwrap(model)
        self.loss = loss
        self.loader = loader
        self._first: Optional[Any] = None
        self._program: Optional[Program] = None

    def covers(self, parameters: list[torch.Tensor]) -> bool:
        mine = {id(p) for p in self.model.parameters()}
        return any(id(p) in mine for p in parameters)

    def _takes_output(self) -> bool:
        """Whether the loss is of (output, target), as torch's own are."""
        module = getattr(self.loss, "__module__", "") or ""
        return isinstance(self.loss, nn.Module) or module.startswith("torch.nn.functional") or module == "torch._C._nn"

    def _batches(self) -> Iterable[Any]:
        """The loader's batches in order, without moving its own sampler or starting its workers."""
        loader = self.loader
        if isinstance(loader, torch.utils.data.DataLoader) and not isinstance(
            loader.dataset, torch.utils.data.IterableDataset
        ):
            size = loader.batch_size or 1
            return torch.utils.data.DataLoader(loader.dataset, batch_size=size, collate_fn=loader.collate_fn)
        return loader

    def program(self) -> Program:
        """The watched loss on the loader's first batch, as a program of one or two calls."""
        if self._program is None:
            streams = random_streams.read_streams()
            try:
                self._first = next(iter(self._batches()))
            finally:
                random_streams.write_streams(streams)
            self._program = Program(self._terms(self.to_device(self._first)))
            self._program.watched = True
        return self._program

    def to_device(self, batch: Any) -> Any:
        """The batch where the model's weights are."""
        device = next(self.model.parameters()).device
        return map_tensors(lambda t: t.to(device), batch)

    def _terms(self, batch: Any) -> list[Term]:
        encoded = map_tensors(lambda t: Leaf(t.detach().clone()), batch)
        training = [(m, m.training) for m in self.model.modules()]
        term = Term(0, None, 0.0)
        if self._takes_output():
            call = Entry("module", self.model, type(self.model).__name__)
            call.args, call.kwargs, call.outputs, call.training = (encoded[0],), {}, [((), 0)], training
            name = getattr(self.loss, "__name__", type(self.loss).__name__)
            judge = Entry("module" if isinstance(self.loss, nn.Module) else "function", self.loss, name)
            judge.args, judge.kwargs, judge.outputs, judge.reads = (Slot(0), encoded[1]), {}, [((), 1)], [0]
            term.slot = 1
            term.entries = [call, judge]
        else:
            entry = Entry("call", self.loss, getattr(self.loss, "__name__", "loss"))
            entry.args, entry.kwargs, entry.outputs = (self.model, encoded), {}, [((), 0)]
            entry.training = training
            term.entries = [entry]
        return [term]

    def batches(self, program: Program, samples: int) -> list[Batch]:
        """The first batches of the loader, with draws of their own that are the same at every evaluation."""
        found: list[Batch] = []
        total = 0
        streams = random_streams.read_streams()
        try:
            for batch in self._batches():
                leaves = [t.detach().clone() for t in tensors_in(self.to_device(batch))]
                if len(leaves) != len(program.leaves):
                    continue
                size = int(leaves[0].shape[0]) if leaves and leaves[0].dim() > 0 else 1
                found.append(Batch(leaves, list(program.numbers), {0: streams}, [], size, 0, None, program))
                total += size
                if total >= samples:
                    break
        finally:
            random_streams.write_streams(streams)
        return found
