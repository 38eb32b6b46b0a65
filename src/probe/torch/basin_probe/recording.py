"""One objective's record while it trains: a line a step, norms and sketch at a stride, snapshots."""

from __future__ import annotations

import math
import time
from typing import Any, Optional

import torch

from .layer_statistics import LayerStatistics, parameters_gradients
from .non_finite import Backward, Origin, gradients_not_finite, parameters_not_finite
from .objective import Objective
from .run_writer import RunWriter, SnapshotBuffer, StepTuple
from .safetensors import can_hold, kept_dtype
from .session import StateTensor
from .versions import copy_into
from .weights import ReadingBudget, SnapshotSchedule, WeightReader, together

#: Snapshots that may wait for the disk: of small models as many as a short run has, of large ones two.
_MOST_BUFFERS = 64
_BUFFER_BYTES = 32 << 20
_FEWEST_BUFFERS = 2


class ObjectiveRecording:
    """Called at both ends of each update; what it spends is kept to a share of training's time."""

    def __init__(self, objective: Objective, writer: RunWriter, every: Optional[int], every_step: bool) -> None:
        self.objective = objective
        self.writer = writer
        self.reader = WeightReader(objective.parameters)
        self.statistics = LayerStatistics(objective.named)
        self.budget = ReadingBudget(every_step)
        self.schedule = SnapshotSchedule(every)
        self._buffers: list[SnapshotBuffer] = []
        #: (step, buffer, snapshots to drop) of the one that is not with the writer yet
        self._waiting: Optional[tuple[int, SnapshotBuffer, list[int]]] = None
        self._outside: Optional[list[StateTensor]] = None
        #: norm of each parameter's update before this step
        self._updates: Optional[list[float]] = None
        self._distance: Optional[float] = 0.0
        #: the step at which other weights were put into the model last: a snapshot of it has those before
        self._put_back_at: Optional[int] = None
        self._gradient: Optional[float] = None
        #: this step's record of layers.bin
        self._layers: Optional[list[float]] = None
        self._reading_layers = 0.0
        self._non_finite: Optional[dict[str, Any]] = None
        #: something was not finite at the last step that was looked at: it is told once
        self._alarmed = False
        self._remembered = False
        self._last_end: Optional[float] = None
        self._spent = 0.0
        #: weights are read at every step: a debugger looks at each of them
        self.read_always = False
        #: so are each parameter's own numbers
        self.layers_always = False
        #: the last record that was written; None before any
        self.done: Optional[StepTuple] = None
        #: time that the probe took since the last step, taping included; told by the probe
        self.aside = 0.0

    def begin(self, loss: Any, origin: Optional[Origin], backward: Backward) -> None:
        """
        Before an update: the weights are θ_k.

        :param loss: this step's, where it is known by now; a tensor while it is on an accelerator
        :param origin: what made a loss that is not finite
        :param backward: what the gradients have come from
        """
        start = time.perf_counter()
        self._submit(refresh=True)
        step = self.objective.steps
        parameters = self.objective.parameters
        self._gradient = self._layers = None
        self._reading_layers = 0.0
        if self._reads(step):
            gradients = parameters_gradients(parameters)
            self._gradient = together([g for p, g in zip(parameters, gradients) if p.grad is not None])
            if self.layers_always or step % self.budget.layers_every == 0:
                began = time.perf_counter()
                self._layers = self.statistics.read(step, gradients, self._updates)
                self._reading_layers = time.perf_counter() - began
        self._remembered = self._reads(step + 1)
        if self._remembered:
            self.reader.remember()
        if self.layers_always or (step + 1) % self.budget.layers_every == 0:
            began = time.perf_counter()
            self.statistics.remember(step)
            self._reading_layers += time.perf_counter() - began
        self._spent = time.perf_counter() - start - self._reading_layers
        self._non_finite = self._look_for_non_finite(step, loss, origin, backward)

    def _look_for_non_finite(
        self, step: int, loss: Any, origin: Optional[Origin], backward: Backward
    ) -> Optional[dict[str, Any]]:
        """What is not finite at this step, when it was at the step before."""
        # A loss on an accelerator is not waited for: its weights show it at the next reading.
        lost = isinstance(loss, float) and not math.isfinite(loss)
        read = [x for x in (self._gradient, self._distance) if x is not None]
        suspect = lost or not all(math.isfinite(x) for x in read)
        if not suspect or self._alarmed:
            # A step whose weights were not read tells nothing of them.
            if not suspect and self._distance is not None:
                self._alarmed = False
            return None
        named = self.objective.named
        self._alarmed = True
        weights = parameters_not_finite(named, [n.tensor for n in named])
        if weights is not None:
            return {"what": "weights", "began": max(0, step - 1), **weights}
        if lost:
            return (origin or Origin(None, None)).event(named, step)
        gradients = gradients_not_finite(named, backward)
        # Norms can overflow where no value has.
        self._alarmed = gradients is not None
        return None if gradients is None else {"what": "gradient", "began": step, **gradients}

    def _reads(self, step: int) -> bool:
        return self.read_always or self.budget.due(step)

    def record(
        self, loss: Any, rate: Optional[float], epoch: Optional[int], samples: Optional[int], seconds: float
    ) -> StepTuple:
        """The step between :meth:`begin` and :meth:`end`."""
        norms = (self._gradient, None if self._updates is None else together(self._updates), self._distance)
        where = (self.objective.steps, self.objective.index, epoch)
        return (*where, loss, rate, *norms, round(seconds, 6), samples, self._non_finite)

    def rewound(self, to: int) -> None:
        """Other weights were put into the model: a snapshot that waits is of those before, and goes as it is."""
        self._submit()
        self._put_back_at = self.objective.steps
        self._updates = self._distance = None
        self.writer.note(
            f"At step {self.objective.steps} the weights were put back to those of step {to} by the debugger."
        )

    def end(self, loss: Any, rate: Optional[float], epoch: Optional[int], samples: Optional[int], since: float) -> None:
        """
        Behind the update: writes record k, then reads the weights, which are θ_{k+1} now.

        :param since: time of the run's first step
        """
        start = time.perf_counter()
        objective = self.objective
        self.done = self.record(loss, rate, epoch, samples, start - since)
        self.writer.steps.append(self.done)
        if self._layers is not None:
            self.writer.layers(objective.index, objective.steps, self._layers)
        objective.steps += 1
        self._updates = self._distance = self._non_finite = None
        if self._remembered:
            self._updates, self._distance = self.reader.read(True)
            self.writer.sketch(objective.index, objective.steps, self.reader.sketch())
        end = time.perf_counter()
        self._spent += end - start
        if self._remembered and self._gradient is not None:
            self.budget.cost(self._spent)
        if self._layers is not None:
            self.budget.cost_layers(self._reading_layers)
        own = self._spent + self._reading_layers + self.aside
        if self._last_end is not None and self.budget.step(max(1e-6, end - self._last_end - own)):
            recording = {"weightsEvery": self.budget.every, "layersEvery": self.budget.layers_every}
            self.writer.patch({"recording": recording})
        if self.schedule.due(objective.steps, start - since):
            self.snapshot()
        self._last_end = time.perf_counter()
        self.aside = 0.0

    def first(self, state: list[torch.Tensor]) -> None:
        """Snapshot 0 and the sketch's first record; ``state`` is that from before the first step's loss."""
        self.writer.objective(self.objective.index, self.objective.info(), self.reader.sketch_plan)
        self.writer.sketch(self.objective.index, 0, self.reader.sketch())
        if self.objective.index == 0:
            self.writer.patch({"recording": {"layersEvery": self.budget.layers_every}})
        self.snapshot(state)

    def layout_changed(self) -> None:
        """The objective's state has become known: later snapshots hold it."""
        self._buffers = []
        self._outside = None

    def last(self) -> None:
        """The final weights, and what others have moved since this objective's last step."""
        self._submit(refresh=True)
        steps = self.objective.steps
        if self._put_back_at == steps or not self.schedule.kept or self.schedule.kept[-1] != steps:
            self.snapshot(wait=True)

    def pin(self, of: Optional[int] = None) -> int:
        """
        Writes the present weights as a snapshot that no thinning takes, and waits for it.

        :param of: the step that they are of, where they were put back; the count of updates by default
        :return: its step
        """
        self._submit(refresh=True)
        count = self.objective.steps
        step = count if of is None else of
        if step != count or step not in self.schedule.kept or step == self._put_back_at:
            self.snapshot(wait=True, pinned=step)
        self.writer.flush()
        return step

    def snapshot(
        self, state: Optional[list[torch.Tensor]] = None, wait: bool = False, pinned: Optional[int] = None
    ) -> None:
        """
        The present weights, for the disk.

        :param state: the state's tensors, where it is not the present one
        :param wait: until there is room for it, instead of leaving it out
        :param pinned: the step that it is kept by whatever the schedule says
        """
        start = time.perf_counter()
        buffer = self._free_buffer(wait or self.schedule.requested is not None or state is not None)
        if buffer is None:
            return  # the disk is behind; the next multiple will do
        tensors: dict[str, torch.Tensor] = {n.name: n.tensor.detach() for n in self.objective.named}
        values = state if state is not None else [s.now().detach() for s in self.objective.state]
        tensors.update({s.name: t for s, t in zip(self.objective.state, values)})
        buffer.free = False
        buffer.fill([tensors[name] for name in buffer.order])
        cost = time.perf_counter() - start + self.writer.snapshot_seconds(self.objective.index, buffer.memory.numel())
        step = self.objective.steps if pinned is None else pinned
        dropped = [] if pinned is not None else self.schedule.keep(step, cost)
        self._waiting = (step, buffer, dropped)
        if state is not None or wait or not self._moved_by_others():
            self._submit()

    def _moved_by_others(self) -> list[StateTensor]:
        """State that changes between two steps outside of the loss: an opponent's weights, a target network."""
        if self._outside is None:
            program = self.objective.program
            inside = set() if program is None else {
                id(owner[key]) for e in program.entries for owner, key, _ in e.before.tensors
            }  # fmt: skip
            self._outside = [s for s in self.objective.state if id(s.now()) not in inside]
        return self._outside

    def _submit(self, refresh: bool = False) -> None:
        """Hands the waiting snapshot over, with what others have moved since the weights were read."""
        if self._waiting is None:
            return
        step, buffer, dropped = self._waiting
        self._waiting = None
        if refresh:
            now = {s.name: s.now().detach() for s in self._moved_by_others()}
            places = [i for i, name in enumerate(buffer.order) if name in now]
            with torch.no_grad():
                copy_into([buffer.views[i] for i in places], [now[buffer.order[i]] for i in places])
        self.writer.snapshot(self.objective.index, step, buffer, dropped, self.schedule.every)

    def _may_have_more(self, size: int) -> bool:
        return len(self._buffers) < min(_MOST_BUFFERS, _BUFFER_BYTES // max(1, size))

    def _free_buffer(self, wait: bool) -> Optional[SnapshotBuffer]:
        for buffer in self._buffers:
            if buffer.free:
                return buffer
        if len(self._buffers) < _FEWEST_BUFFERS or self._may_have_more(self._buffers[0].memory.numel()):
            tensors = [(n.name, n.tensor, kept_dtype(n.tensor)) for n in self.objective.named]
            tensors += [(s.name, s.now(), s.now().dtype) for s in self.objective.state if can_hold(s.now().dtype)]
            self._buffers.append(SnapshotBuffer(tensors))
            return self._buffers[-1]
        if not wait:
            return None
        self.writer.flush()
        return self._free_buffer(False)
