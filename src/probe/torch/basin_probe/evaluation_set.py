"""
The samples that every question to a run is asked on: gathered from successive steps, none twice, kept in
data/<split>.safetensors (src/protocol/evaluationSet.ts) and put into the tape of a process that is started again.
"""

from __future__ import annotations

import json
from typing import Any, Optional

import torch

from .objective import Objective
from .program import Batch, Program, bind
from .random_streams import decode_streams, encode_streams
from .safetensors import SafetensorsFile, can_hold

#: Batches in a row that bring hardly a new sample: the data have been seen.
_STALE = 8
#: Batches of one sample each would be a pass each, over all of them for every number.
_MOST_BATCHES = 256


class Gatherer:
    """Takes the batches of successive steps until there are enough samples."""

    def __init__(self, objective: Objective, samples: int) -> None:
        self.objective = objective
        self.wanted = samples
        self.count = 0
        #: of these: drawn more than once, by a script that draws with replacement
        self.repeats = 0
        self._seen: set[float] = set()
        self._stale = 0
        #: of batches whose samples cannot be counted
        self._rows = 0

    @property
    def done(self) -> bool:
        return (
            self.count >= self.wanted or self._rows >= self.wanted or self._stale >= _STALE
            or len(self.objective.train) >= _MOST_BATCHES
        )  # fmt: skip

    def known(self, marks: list[float]) -> int:
        """How many of these samples, as :func:`fingerprints` has them, it has taken."""
        return sum(mark in self._seen for mark in marks)

    def offer(self, program: Program, batch: Batch) -> bool:
        """Keeps the batch if most of its samples are new."""
        rows = fingerprints(batch)
        new = [r for r in rows if r not in self._seen]
        if self.objective.train and len(new) * 2 < len(rows):
            self._stale += 1
            return False
        self._stale = 0
        self._seen.update(rows)
        self.repeats += len(rows) - len(set(new))
        for known in self.objective.programs:
            bound = bind(known, batch)
            if bound is not None:
                batch = bound
                break
        else:
            self.objective.programs.append(program)
        self.objective.train.append(batch)
        self.count += batch.samples
        if not batch.program.counted:
            self._rows += max((int(t.shape[0]) for t in batch.leaves if t.dim() > 0), default=1)
        return True


def fingerprints(batch: Batch) -> list[float]:
    """One number a sample, from the largest leaf that has one row a sample; of the whole batch where none has."""
    by_rows = batch.program.rows_are_samples
    rows = [t for t in batch.leaves if by_rows and t.dim() > 0 and t.shape[0] == batch.samples]
    chosen = max(rows, key=lambda t: (t.is_floating_point(), t.numel())) if rows else None
    if chosen is None:
        return [sum(float(t.double().sum()) for t in batch.leaves if not t.is_complex())]
    flat = chosen.detach().reshape(chosen.shape[0], -1).double()
    # A fixed weighting without a random stream: sines of the index.
    weights = torch.sin(torch.arange(1, flat.shape[1] + 1, dtype=torch.float64, device=flat.device) * 1.618)
    return [float(x) for x in (flat @ weights).tolist()]


def encode(batches: list[Batch]) -> tuple[list[tuple[str, torch.Tensor]], dict[str, str], list[str]]:
    """(tensors, metadata, what could not be kept) of an evaluation set's file."""
    tensors: list[tuple[str, torch.Tensor]] = []
    problems: list[str] = []
    structures: list[str] = []
    infos: list[dict[str, Any]] = []
    extras: list[dict[str, Any]] = []
    batches = [b for b in batches if all(can_hold(t.dtype) for t in b.leaves)]
    one_kind = len({b.program.signature for b in batches}) == 1
    shared: set[int] = set()
    if one_kind and len(batches) > 1:
        for i, first in enumerate(batches[0].leaves):
            if all(b.leaves[i] is first or _same(b.leaves[i], first) for b in batches[1:]):
                shared.add(i)
                tensors.append((f"shared/{i}", first.detach()))
    for number, batch in enumerate(batches):
        if batch.program.signature not in structures:
            structures.append(batch.program.signature)
        for i, leaf in enumerate(batch.leaves):
            if i not in shared:
                tensors.append((f"b{number}/{i}", leaf.detach()))
        streams: dict[str, Any] = {}
        for index, states in batch.streams.items():
            held, rest = encode_streams(states)
            for name, t in held.items():
                tensors.append((f"b{number}/stream{index}.{name}", t))
            streams[str(index)] = {"tensors": list(held), "rest": rest}
        attributes: dict[str, Any] = {}
        for i, value in enumerate(batch.attributes):
            if isinstance(value, torch.Tensor) and can_hold(value.dtype):
                tensors.append((f"b{number}/attribute{i}", value.detach()))
                attributes[str(i)] = {"tensor": True}
            elif value is None or isinstance(value, (bool, int, float, str)):
                attributes[str(i)] = {"value": value}
            elif isinstance(value, tuple) and value and all(isinstance(t, torch.Tensor) for t in value):
                for j, t in enumerate(value):
                    tensors.append((f"b{number}/attribute{i}.{j}", t.detach()))
                attributes[str(i)] = {"tuple": len(value)}
        infos.append({"step": batch.step, "samples": batch.samples, "loss": _number(batch.loss), "draws": []})
        extras.append(
            {
                "structure": structures.index(batch.program.signature),
                "numbers": batch.numbers,
                "streams": streams,
                "attributes": attributes,
            }
        )
    metadata = {
        "batches": json.dumps(infos),
        "torch": json.dumps({"structures": structures, "batches": extras}),
    }
    return tensors, metadata, problems


def _number(x: Optional[float]) -> Any:
    if x is None or x - x == 0:
        return x
    return "NaN" if x != x else ("Infinity" if x > 0 else "-Infinity")


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)


class StoredSet:
    """An evaluation set's file, to be put into the programs of a process that was started again."""

    def __init__(self, path: str) -> None:
        """:raises BasinError: ``not-found``, ``corrupt-run``"""
        self.path = path
        with SafetensorsFile(path) as file:
            self.infos = json.loads(file.metadata["batches"])
            extra = json.loads(file.metadata["torch"])
        self.structures: list[str] = extra["structures"]
        self.extras: list[dict[str, Any]] = extra["batches"]

    def missing(self, programs: list[Program]) -> list[str]:
        """Structures that no program has yet."""
        known = {p.signature for p in programs}
        return [s for s in self.structures if s not in known]

    def begins_otherwise(self, programs: list[Program]) -> bool:
        """Whether the run's first step was of a structure that none of these programs has."""
        if not self.infos or self.infos[0]["step"] != 0:
            return False
        return self.structures[self.extras[0]["structure"]] in self.missing(programs)

    def load(self, programs: list[Program], device: torch.device) -> list[Batch]:
        """Batches whose structure a program has."""
        by_signature = {p.signature: p for p in programs}
        batches: list[Batch] = []
        loaded: dict[str, torch.Tensor] = {}
        with SafetensorsFile(self.path) as file:

            def tensor(name: str) -> torch.Tensor:
                return file.read(name)

            for number, (info, extra) in enumerate(zip(self.infos, self.extras)):
                program = by_signature.get(self.structures[extra["structure"]])
                if program is None:
                    continue
                leaves = []
                for i, like in enumerate(program.leaves):
                    name = f"b{number}/{i}"
                    if name not in file.entries:
                        name = f"shared/{i}"
                    if name not in loaded:
                        t = tensor(name).to(like.tensor.device)
                        loaded[name] = t.requires_grad_() if like.tensor.requires_grad else t
                    leaves.append(loaded[name])
                streams = {
                    int(index): decode_streams(
                        {n: tensor(f"b{number}/stream{index}.{n}") for n in state["tensors"]}, state["rest"]
                    )
                    for index, state in extra["streams"].items()
                }
                attributes = list(program.attribute_values)
                for key, held in extra["attributes"].items():
                    i = int(key)
                    if i >= len(attributes):
                        continue
                    if "tensor" in held:
                        attributes[i] = tensor(f"b{number}/attribute{i}").to(device)
                    elif "tuple" in held:
                        attributes[i] = tuple(
                            tensor(f"b{number}/attribute{i}.{j}").to(device) for j in range(held["tuple"])
                        )
                    else:
                        attributes[i] = held["value"]
                loss = info["loss"]
                batches.append(
                    Batch(
                        leaves,
                        extra["numbers"],
                        streams,
                        attributes,
                        info["samples"],
                        info["step"],
                        None if loss is None else float(loss),
                        program,
                    )
                )
        return batches
