"""
The data that a script trains on, drawn for Basin's own training: batches of an endless order that follows from a seed
alone. Nothing of the script's moves: its samplers, data sets and random streams are as they were behind each drawing.
"""

from __future__ import annotations

import copy
import random
from typing import Any, Callable, Iterator, Optional

import torch

from . import random_streams
from .errors import BasinError, cancelled
from .evaluation_set import fingerprints
from .objective import Objective
from .program import Batch, Program, batches_read, derived_leaves, from_loader, sources_of
from .source_state import SourceState
from .structures import tensor_paths, tensors_in
from .watching import Watch

#: Elements of the tensors that batches are taken from by hand up to which validation samples are looked for in them.
_SEARCHED = 200_000_000
#: Share of the validation samples that may be found among the training ones: there are twins in honest data.
_TWINS = 0.02


class TrainingData:
    """What one objective trains on; made at its first step, looked at when it is asked for."""

    def __init__(
        self,
        objective: Objective,
        loader: Any,
        like: Optional[list[torch.Tensor]],
        watch: Callable[[], Optional[Watch]],
    ) -> None:
        """
        :param loader: the one that brought the latest batch before the first step
        :param like: the fields of that batch
        :param watch: the opt-in that covers the objective, when there is one
        """
        self.objective = objective
        self.loader = loader
        self.like = like
        self.watch = watch
        self._source: Optional[_Source] = None
        self._order: Optional[_Order] = None

    def draw(self, seed: int, start: int, count: int, stop: Callable[[], bool]) -> tuple[list[Batch], dict[str, Any]]:
        """
        (batches ``start`` to ``start + count`` of the seed's order, TrainingSource of src/protocol/evaluator.ts)

        :raises BasinError: ``not-replayable`` without a loss that replays, ``cancelled``
        """
        source = self._source = self._source or self._find()
        if count == 0:
            return [], source.describe()
        if self._order is None or self._order.seed != seed or self._order.position > start:
            self._order = _Order(source, seed, start)
        batches = self._order.take(start, count, stop)
        return batches, source.describe()

    def _find(self) -> "_Source":
        """The best source that there is."""
        program = self.objective.programs[0]
        watch = self.watch()
        if program.watched and watch is not None:
            if isinstance(watch.loader, torch.utils.data.DataLoader):
                return _WatchedLoader(self.objective, watch)
            return _Recorded(self.objective, "the loader that was named to watch() is no DataLoader.")
        read = sources_of(program)
        kinds = {s[0] for s in read}
        if kinds == {"batch"} and self.loader is not None and self.like is not None:
            if len({loader for loader, _ in batches_read(program)}) > 1:
                return _Recorded(self.objective, "a step reads batches of several loaders.")
            if batches_read(program)[0][0] != id(self.loader):
                return _Recorded(self.objective, "its batches come from another loader than the one that is known.")
            if from_loader(program, [self.like], self.like) is None:
                return _Recorded(self.objective, "a step reads data of its samples beside the loader's batch.")
            return _Loader(self.objective, self.loader, self.like)
        if kinds == {"rows"}:
            rows = _Rows(self.objective, read)
            reason = rows.unfit()
            return rows if reason is None else _Recorded(self.objective, reason)
        return _Recorded(self.objective, "its batches come neither from one DataLoader nor from the rows of tensors.")


class _Order:
    """One way through the epochs of a source, kept between drawings so that going on costs nothing."""

    def __init__(self, source: "_Source", seed: int, start: int) -> None:
        self.source = source
        self.seed = seed
        self.position = 0
        self._epoch = 0
        self._batches: Optional[Iterator[Batch]] = None
        self._state: Optional[SourceState] = None
        self._generators = SourceState(source.objects).generators
        length = source.batches
        if length:
            self._epoch = start // length
            self.position = self._epoch * length

    def take(self, start: int, count: int, stop: Callable[[], bool]) -> list[Batch]:
        streams = random_streams.read_streams()
        theirs = SourceState(self.source.objects)
        if self._state is not None:
            self._state.put_back()
        taken: list[Batch] = []
        try:
            while len(taken) < count:
                if stop():
                    raise cancelled()
                batch = self._next()
                if self.position >= start:
                    batch.streams = {0: _seeded(self.seed, self.position, "noise")}
                    taken.append(batch)
                self.position += 1
            self._state = SourceState(self.source.objects)
            return taken
        except BaseException:
            self._batches = None  # it stands in the middle: the next drawing begins anew
            self.position = 1 << 62
            raise
        finally:
            theirs.put_back()
            random_streams.write_streams(streams)

    def _next(self) -> Batch:
        empty = 0
        while True:
            seeded = _seed_of(self.seed, self.position, "order")
            _seed_streams(seeded)
            for generator in self._generators:
                generator.seed(seeded)
            if self._batches is None:
                self._batches = self.source.epoch(self._epoch, seeded)
            with torch.no_grad():
                batch = next(self._batches, None)
            if batch is not None:
                return batch
            self._batches = None
            self._epoch += 1
            empty += 1
            if empty > 1:
                raise self.source.dry()


def _seed_of(seed: int, position: int, what: str) -> int:
    """Splitmix64 over both: neighbouring positions have nothing in common."""
    x = (seed * 0x9E3779B97F4A7C15 + position + (0x5851F42D4C957F2D if what == "noise" else 0)) & 0xFFFFFFFFFFFFFFFF
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFFFFFFFFFF
    return (x ^ (x >> 31)) & 0x7FFFFFFF


def _seed_streams(seed: int) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    numpy = random_streams.loaded_numpy()
    if numpy is not None:
        numpy.random.seed(seed)


def _seeded(seed: int, position: int, what: str) -> random_streams.Streams:
    """States of the random streams that belong to a position; the streams themselves are moved."""
    _seed_streams(_seed_of(seed, position, what))
    return random_streams.read_streams()


class _Source:
    """Where batches come from. Runs with random streams that are seeded, and put back by its caller."""

    kind = "recorded"

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.program: Program = objective.programs[0]
        #: Python objects that drawing may move
        self.objects: list[Any] = []
        #: distinct samples; None for a stream
        self.samples: Optional[int] = None
        #: batches of an epoch; None where that is not known
        self.batches: Optional[int] = None
        self.reason: Optional[str] = None

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "samples": self.samples, "batches": self.batches, "reason": self.reason}

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        raise NotImplementedError

    def dry(self) -> BasinError:
        return BasinError(
            "unsupported", "The script's training data gives no batch.", "Train on data that can be gone through again."
        )

    def _batch(self, leaves: list[torch.Tensor], samples: int) -> Batch:
        program = self.program
        return Batch(leaves, list(program.numbers), {}, list(program.attribute_values), samples, -1, None, program)


class _Recorded(_Source):
    """The evaluation set's training batches, in a shuffled order: few samples, which may be learnt by heart."""

    def __init__(self, objective: Objective, reason: str) -> None:
        super().__init__(objective)
        self.samples = sum(b.samples for b in objective.train)
        self.batches = len(objective.train)
        self.reason = f"The script's own data cannot be drawn from: {reason}"

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        order = list(range(len(self.objective.train)))
        random.Random(seed).shuffle(order)
        for i in order:
            yield copy.copy(self.objective.train[i])


class _Rows(_Source):
    """Tensors that the script takes its batches from by their rows: every row once an epoch, shuffled."""

    kind = "tensors"

    def __init__(self, objective: Objective, read: list[Any]) -> None:
        super().__init__(objective)
        self.wholes = [s[1] for s in read]
        self.sizes = {s[2] for s in read}
        self.size = max(self.sizes)
        self.samples = int(self.wholes[0].shape[0])
        self.batches = max(1, self.samples // self.size)

    def unfit(self) -> Optional[str]:
        """Why batches cannot be drawn from it, as the end of a sentence; None when they can."""
        if len(self.sizes) > 1 or len({int(t.shape[0]) for t in self.wholes}) > 1:
            return "a step takes rows of tensors that do not belong together."
        if any(t.requires_grad for t in self.wholes) or self._leaves(torch.arange(self.size)) is None:
            return "a step reads data of its samples beside the rows of tensors."
        if sum(t.numel() for t in self.wholes) > _SEARCHED or not self.objective.validation:
            return None
        held_out = {x for b in self.objective.validation for x in fingerprints(b)}
        twins = 0
        streams = random_streams.read_streams()
        try:
            for start in range(0, self.samples, self.size):
                rows = torch.arange(start, min(self.samples, start + self.size))
                leaves = self._leaves(rows)
                if leaves is not None:
                    twins += sum(x in held_out for x in fingerprints(self._batch(leaves, len(rows))))
        finally:
            random_streams.write_streams(streams)
        if twins > _TWINS * len(held_out):
            return "the tensors that its batches are taken from hold the validation samples too."
        return None

    def _leaves(self, rows: torch.Tensor) -> Optional[list[torch.Tensor]]:
        def given(source: Any) -> torch.Tensor:
            return source[1].detach()[rows.to(source[1].device)]

        try:
            return derived_leaves(self.program, given, self.size)
        except (RuntimeError, IndexError):
            return None

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        order = torch.randperm(self.samples, generator=torch.Generator().manual_seed(seed))
        # What is left over at the end comes in another epoch, as a batch of another size might not fit the loss.
        for start in range(0, self.batches or 1):
            rows = order[start * self.size : (start + 1) * self.size]
            leaves = self._leaves(rows)
            if leaves is not None:
                yield self._batch(leaves, len(rows))


class _Loader(_Source):
    """The script's DataLoader: its data set, in the order of its own sampler, through its own collation."""

    kind = "loader"

    def __init__(self, objective: Objective, loader: Any, like: list[torch.Tensor]) -> None:
        super().__init__(objective)
        self.loader = loader
        self.like = like
        self.steps = max(1, len(batches_read(self.program)))
        self.objects = [loader.dataset, loader.sampler, loader.batch_sampler, loader.collate_fn, loader.generator]
        dataset = loader.dataset
        streams = isinstance(dataset, torch.utils.data.IterableDataset)
        self.samples = None if streams else _length(dataset)
        length = None if streams else _length(loader)
        self.batches = None if length is None else max(1, length // self.steps)
        size = int(like[0].shape[0]) if like and like[0].dim() else None
        self.size = size
        #: A batch of another size would be divided by this one's.
        self.fixed = size is not None and size > 1 and size in [n for n in self.program.numbers if type(n) is int]
        if self.fixed and length is not None and size is not None and not getattr(loader, "drop_last", False):
            if self.samples is not None and self.samples % size:
                self.batches = max(1, (length - 1) // self.steps)

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        loader = _like_loader(self.loader, number + seed)
        pending: list[list[torch.Tensor]] = []
        given = 0
        for fields in _iterate(loader):
            tensors = [t for _, t in tensor_paths(fields)]
            if self.fixed and int(tensors[0].shape[0]) != self.size:
                continue
            pending.append(tensors)
            if len(pending) < self.steps:
                continue
            leaves = self._leaves(pending)
            samples = sum(self._count(t) for t in pending)
            pending = []
            if leaves is not None:
                given += 1
                yield self._batch(leaves, samples)
                if self.batches is not None and given >= self.batches:
                    return

    def _leaves(self, batches: list[list[torch.Tensor]]) -> Optional[list[torch.Tensor]]:
        return from_loader(self.program, batches, self.like)

    def _count(self, fields: list[torch.Tensor]) -> int:
        return int(fields[0].shape[0]) if fields and fields[0].dim() else 1


class _WatchedLoader(_Loader):
    """The loader that the script named to ``watch``."""

    def __init__(self, objective: Objective, watch: Watch) -> None:
        self.watch = watch
        super().__init__(objective, watch.loader, objective.train[0].leaves)
        self.steps, self.fixed = 1, False
        self.batches = None if isinstance(watch.loader.dataset, torch.utils.data.IterableDataset) else _length(watch.loader)

    def _leaves(self, batches: list[list[torch.Tensor]]) -> Optional[list[torch.Tensor]]:
        leaves = tensors_in(self.watch.to_device(batches[0]))
        return leaves if len(leaves) == len(self.program.leaves) else None


def _length(x: Any) -> Optional[int]:
    try:
        return len(x)
    except TypeError:
        return None


def _like_loader(loader: Any, epoch: int) -> Any:
    """A loader that reads as the script's does and shares nothing with it that an iteration moves (but its parts)."""
    made = copy.copy(loader)
    made.__dict__["_iterator"] = None
    made.__dict__["persistent_workers"] = False
    # In the process itself: none can be started where the interpreter is about to end, and what a worker draws would
    # depend on where the drawing began.
    made.__dict__.update(num_workers=0, prefetch_factor=None, pin_memory=False, timeout=0)
    for sampler in (getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
        advance = getattr(sampler, "set_epoch", None)
        if callable(advance):
            advance(epoch)
    return made


def _iterate(loader: Any) -> Iterator[Any]:
    """Over torch's own iteration, whatever a subclass of the loader does around it: the tape has seen the raw batches."""
    return iter(torch.utils.data.DataLoader.__iter__(loader))
