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
from .packing import are_equal, pack, parts_of, unpack
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
        #: all that there are have been taken
        self.whole = False
        self._seen: set[float] = set()
        self._stale = 0
        #: of batches whose samples cannot be counted
        self._rows = 0

    @property
    def done(self) -> bool:
        return (
            self.whole or self.count >= self.wanted or self._rows >= self.wanted or self._stale >= _STALE
            or len(self.objective.train) >= _MOST_BATCHES
        )  # fmt: skip

    @property
    def complete(self) -> bool:
        """Whether it has all that the script trains on, as far as it has seen: what came lately was there before."""
        return self.whole or self._stale >= min(_STALE, max(2, len(self.objective.train)))

    def known(self, marks: list[float]) -> int:
        """How many of these samples, as :func:`fingerprints` has them, it has taken."""
        return sum(mark in self._seen for mark in marks)

    def offer(self, program: Program, batch: Batch) -> bool:
        """Keeps the batch if most of its samples are new, and there are not enough yet."""
        rows = fingerprints(batch)
        new = [r for r in rows if r not in self._seen]
        if self.objective.train and len(new) * 2 < len(rows):
            self._stale += 1
            return False
        if self.done:
            self._stale = 0
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
    """
    One number a sample, from the largest leaf of real numbers that has one row a sample and from all such leaves of
    integers (tokens, labels); of the whole batch where there is none. Smaller leaves of real numbers may be noise.
    """
    by_rows = batch.program.rows_are_samples
    rows = [
        (i, torch.view_as_real(t.resolve_conj()) if t.is_complex() else t)
        for i, t in enumerate(batch.leaves)
        if by_rows and t.layout is torch.strided and t.dim() > 0 and t.shape[0] == batch.samples
    ]
    real = [x for x in rows if x[1].is_floating_point()]
    chosen = [x for x in rows if not x[1].is_floating_point()] + ([max(real, key=lambda x: x[1].numel())] if real else [])
    if not chosen:
        return [sum(float(part.double().sum()) for t in batch.leaves for part in parts_of(t))]
    total = sum(_weighted(t.detach(), 1.618 + i) for i, t in chosen)
    return [float(x) for x in total.tolist()]  # type: ignore[union-attr]


def _weighted(rows: torch.Tensor, frequency: float) -> torch.Tensor:
    """A fixed weighting of each row without a random stream: sines of the index."""
    flat = rows.reshape(rows.shape[0], -1).double()
    return (flat @ torch.sin(torch.arange(1, flat.shape[1] + 1, dtype=torch.float64, device=flat.device) * frequency)).cpu()


def can_keep(batch: Batch) -> bool:
    """Whether a file can hold its data."""
    return all(pack(t) is not None for t in batch.leaves)


def encode(batches: list[Batch]) -> tuple[list[tuple[str, torch.Tensor]], dict[str, str]]:
    """(tensors, metadata) of an evaluation set's file. All batches are such as can be kept (:func:`can_keep`)."""
    tensors: list[tuple[str, torch.Tensor]] = []
    structures: list[str] = []
    infos: list[dict[str, Any]] = []
    extras: list[dict[str, Any]] = []
    one_kind = len({b.program.signature for b in batches}) == 1
    #: by index: how these are made of their parts
    shared: dict[int, Any] = {}

    def put(name: str, leaf: torch.Tensor) -> Any:
        packed = pack(leaf)
        assert packed is not None
        parts, how = packed
        tensors.extend([(name, parts[0])] if how is None else [(f"{name}.{i}", part) for i, part in enumerate(parts)])
        return how

    if one_kind and len(batches) > 1:
        for i, first in enumerate(batches[0].leaves):
            if all(b.leaves[i] is first or _same(b.leaves[i], first) for b in batches[1:]):
                shared[i] = put(f"shared/{i}", first)
    for number, batch in enumerate(batches):
        if batch.program.signature not in structures:
            structures.append(batch.program.signature)
        packed = {
            str(i): how
            for i, leaf in enumerate(batch.leaves)
            for how in [shared[i] if i in shared else put(f"b{number}/{i}", leaf)]
            if how is not None
        }
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
                "packed": packed,
            }
        )
    metadata = {
        "batches": json.dumps(infos),
        "torch": json.dumps({"structures": structures, "batches": extras}),
    }
    return tensors, metadata


def _number(x: Optional[float]) -> Any:
    if x is None or x - x == 0:
        return x
    return "NaN" if x != x else ("Infinity" if x > 0 else "-Infinity")


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and are_equal(a, b)


def _parts(how: Any) -> int:
    """Of how many tensors :func:`pack` has made it."""
    if how is None or how["layout"] == "complex":
        return 1
    return (1 if how["layout"] == "coo" else 2) + _parts(how["values"])


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
                    how = extra.get("packed", {}).get(str(i))
                    parts = [""] if how is None else [f".{j}" for j in range(_parts(how))]
                    name = f"b{number}/{i}"
                    if name + parts[0] not in file.entries:
                        name = f"shared/{i}"
                    if name not in loaded:
                        t = unpack([tensor(name + part).to(like.tensor.device) for part in parts], how)
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
