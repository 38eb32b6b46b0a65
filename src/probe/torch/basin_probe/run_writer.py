"""
Writes the run directory, on a thread of its own, which is the only writer while the process lives. Appended files grow
by whole records, every other file is written beside and renamed, so that the process can be killed at any moment.
"""

from __future__ import annotations

import json
import math
import os
import struct
import threading
import time
from collections import deque
from datetime import datetime, timezone
from typing import Any, Callable, Optional

import torch

from .layer_statistics import FIELDS
from .safetensors import bytes_of, encode_header, write_file
from .versions import copy_into

#: Steps reach the disk within two of these.
_TICK_SECONDS = 0.09
#: run.json is replaced at most this often while only counters change.
_MANIFEST_SECONDS = 0.5
#: Guess for the first snapshot.
_FRESH_BYTES_PER_SECOND = 6e8
_SKETCH_MAGIC = 0x544B5342
_LAYERS_MAGIC = 0x52594C42
_LAYERS_BYTES = 8 << 20
_FEWEST_LAYERS = 128
#: A longer sketch is thinned to every second record: 64 MB at the full dimension.
_SKETCH_RECORDS = 16_384


def encode_number(x: Optional[float]) -> Any:
    """A number as JSON can hold it."""
    if x is None or math.isfinite(x):
        return x
    return "NaN" if math.isnan(x) else ("Infinity" if x > 0 else "-Infinity")


#: step, objective, epoch, loss, learning rate, norms of gradient and update, distance from θ₀, seconds, samples, what is
#: not finite
StepTuple = tuple


def step_record(step: StepTuple) -> dict[str, Any]:
    """A step as StepRecord of src/protocol/run.ts; its loss may still lie on a device."""
    index, objective, epoch, loss, rate, gradient, update, distance, seconds, samples, found = step
    return {
        "step": index,
        "objective": objective,
        "epoch": epoch,
        "loss": encode_number(float(loss) if isinstance(loss, torch.Tensor) else loss),
        "learningRate": encode_number(rate),
        "gradientNorm": encode_number(gradient),
        "updateNorm": encode_number(update),
        "distance": encode_number(distance),
        "time": seconds,
        "samples": samples,
        **({} if found is None else {"nonFinite": found}),
    }


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replace_file(path: str, content: str, mode: int = 0o666) -> None:
    beside = f"{path}.{os.getpid()}.tmp"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as out:
        out.write(content)
    os.replace(beside, path)


def snapshot_file(step: int, objective: int) -> str:
    return f"step-{step:08d}{'' if objective == 0 else f'.{objective}'}.safetensors"


def evaluation_set_file(split: str, objective: int) -> str:
    return f"{split}{'' if objective == 0 else f'.{objective}'}.safetensors"


class SnapshotBuffer:
    """
    Memory laid out as a snapshot's file: filled by the training thread in one call, written by the other as it is.
    """

    def __init__(self, tensors: list[tuple[str, torch.Tensor, torch.dtype]]) -> None:
        """:param tensors: name, the live tensor, and the dtype to keep it in"""
        ordered = sorted(tensors, key=lambda x: -torch.empty((), dtype=x[2]).element_size())
        self.specs = [(name, dtype, list(t.shape)) for name, t, dtype in ordered]
        self.order = [name for name, _, _ in ordered]
        _, offsets, size = encode_header(self.specs, {})
        self.memory = torch.empty(size, dtype=torch.uint8, device="cpu")
        self.views: list[torch.Tensor] = []
        for (_, dtype, shape), offset in zip(self.specs, offsets):
            count = 1
            for d in shape:
                count *= d
            width = torch.empty((), dtype=dtype).element_size()
            self.views.append(self.memory[offset : offset + count * width].view(dtype).view(shape))
        self.free = True

    def fill(self, tensors: list[torch.Tensor]) -> None:
        """:param tensors: in the order of ``order``"""
        with torch.no_grad():
            copy_into(self.views, tensors)


class _ThinnedFile:
    """
    Records of equal size, a step and float32 numbers each, thinned to every second one whenever there are ``most``
    (which is even): what the file takes is bounded, and the whole run stays in it. Its header has 32 bytes.
    """

    def __init__(self, path: str, header: bytes, numbers: int, most: int) -> None:
        self.path = path
        self.numbers = numbers
        self.most = most
        self.records = 0
        self.thinning = 1
        self.seen = 0
        self.file = open(path, "wb", buffering=0)
        self.file.write(header)

    def append(self, step: int, values: bytes) -> None:
        self.seen += 1
        if (self.seen - 1) % self.thinning:
            return
        self.file.write(struct.pack("<d", step) + values)
        self.records += 1
        if self.records >= self.most:
            self._thin()

    def _thin(self) -> None:
        self.file.close()
        size = 8 + 4 * self.numbers
        with open(self.path, "rb") as old:
            header, content = old.read(32), old.read()
        kept = b"".join(content[i * size : (i + 1) * size] for i in range(0, self.records, 2))
        beside = f"{self.path}.{os.getpid()}.tmp"
        with open(beside, "wb") as out:
            out.write(header + kept)
        os.replace(beside, self.path)
        self.records = (self.records + 1) // 2
        self.thinning *= 2
        self.file = open(self.path, "ab", buffering=0)


class RunWriter:
    """Takes work from the training thread and does it on its own; :meth:`flush` waits until all of it is on disk."""

    def __init__(self, directory: str) -> None:
        """:raises OSError: when run.json is not there or the directory cannot be written"""
        self.directory = directory
        with open(os.path.join(directory, "run.json")) as text:
            self.manifest: dict[str, Any] = json.load(text)
        os.makedirs(os.path.join(directory, "snapshots"), exist_ok=True)
        os.makedirs(os.path.join(directory, "data"), exist_ok=True)
        self._steps = os.open(os.path.join(directory, "steps.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        self._sketches: dict[int, _ThinnedFile] = {}
        self._layers: dict[int, _ThinnedFile] = {}
        self.steps: deque[StepTuple] = deque()
        self._work: deque[Callable[[], None]] = deque()
        self._dirty = False
        self._written = 0.0
        self._spare: list[str] = []
        #: by objective, the snapshots that are there
        self._kept: dict[int, set[int]] = {}
        #: by objective, what writing its last snapshot cost this thread
        self._snapshot_seconds: dict[int, float] = {}
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._ending = False
        self.broken = False
        self.on_tick: Optional[Callable[[], None]] = None
        self._thread = threading.Thread(target=self._run, name="basin-writer", daemon=True)
        self._thread.start()

    # ---- from the training thread ---------------------------------------------------------------------------------
    def submit(self, work: Callable[[], None]) -> None:
        if not self.broken:
            self._work.append(work)
            self._wake.set()

    def patch(self, changes: dict[str, Any]) -> None:
        self.submit(lambda: self._patch(changes))

    def later(self, changes: Callable[[], dict[str, Any]]) -> None:
        """:meth:`patch` with what is found out on the writer's thread."""
        self.submit(lambda: self._patch(changes()))

    def note(self, text: str) -> None:
        self.submit(lambda: self._note(text))

    def objective(self, index: int, info: dict[str, Any], sketch: Optional[tuple[int, float]]) -> None:
        self.submit(lambda: self._objective(index, info, sketch))

    def sketch(self, objective: int, step: int, values: torch.Tensor) -> None:
        self.submit(lambda: self._sketch(objective, step, values))

    def layers(self, objective: int, step: int, values: list[float]) -> None:
        self.submit(lambda: self._append_layers(objective, step, values))

    def snapshot(self, objective: int, step: int, buffer: SnapshotBuffer, drop: list[int], every: int) -> None:
        self.submit(lambda: self._snapshot(objective, step, buffer, drop, every))

    def evaluation_set(
        self, objective: int, split: str, tensors: list[tuple[str, torch.Tensor]], metadata: dict[str, str], info: Optional[dict]
    ) -> None:
        self.submit(lambda: self._evaluation_set(objective, split, tensors, metadata, info))

    def snapshot_seconds(self, objective: int, size: int) -> float:
        """What a snapshot of so many bytes costs the writer: as the last one did, or what fresh pages of a file take."""
        return self._snapshot_seconds.get(objective, size / _FRESH_BYTES_PER_SECOND)

    def flush(self, seconds: float = 30.0) -> None:
        """Waits until everything given so far is written."""
        if self.broken or threading.current_thread() is self._thread:
            return
        done = threading.Event()
        self.submit(done.set)
        done.wait(seconds)

    # ---- on the writer's thread -----------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
            try:
                self._drain()
                if self._ending:
                    return
            except Exception as error:  # a full disk ends recording and nothing else
                self.broken = True
                try:
                    self._note(f"Recording stopped: {error}")
                except Exception:
                    pass
                for work in list(self._work):
                    if getattr(work, "__name__", "") == "set":
                        work()
                return

    def _drain(self) -> None:
        while self._work:
            work = self._work.popleft()
            self._append_steps()
            work()
        self._append_steps()
        if self.on_tick is not None:
            self.on_tick()
        if self._dirty and time.monotonic() - self._written > _MANIFEST_SECONDS:
            self._write_manifest()

    def _append_steps(self) -> None:
        lines = []
        last = 0
        while self.steps:
            record = self.steps.popleft()
            lines.append(json.dumps(step_record(record)))
            last = max(last, record[0] + 1)
        if not lines:
            return
        data = ("\n".join(lines) + "\n").encode()
        while data:
            data = data[os.write(self._steps, data) :]
        recording = self.manifest["recording"]
        recording["steps"] = max(last, recording["steps"])
        self._dirty = True

    def _patch(self, changes: dict[str, Any]) -> None:
        for key, value in changes.items():
            if isinstance(value, dict) and key in ("recording", "versions"):
                self.manifest[key].update(value)
            else:
                self.manifest[key] = value
        self._write_manifest()

    def _note(self, text: str) -> None:
        notes = self.manifest["recording"]["notes"]
        if text not in notes and len(notes) < 50:
            notes.append(text)
            self._write_manifest()

    def _objective(self, index: int, info: dict[str, Any], sketch: Optional[tuple[int, float]]) -> None:
        objectives = self.manifest["objectives"]
        if index < len(objectives):
            objectives[index] = info
        else:
            objectives.append(info)
        if sketch is not None and index not in self._sketches:
            name = "sketch.bin" if index == 0 else f"sketch.{index}.bin"
            dimension, scale = sketch
            header = struct.pack("<IIIId8x", _SKETCH_MAGIC, 1, dimension, index, scale)
            self._sketches[index] = _ThinnedFile(os.path.join(self.directory, name), header, dimension, _SKETCH_RECORDS)
        parameters = len(info["parameters"])
        if parameters and index not in self._layers:
            name = "layers.bin" if index == 0 else f"layers.{index}.bin"
            header = struct.pack("<IIIII12x", _LAYERS_MAGIC, 1, parameters, index, FIELDS)
            fit = _LAYERS_BYTES // (8 + 4 * FIELDS * parameters)
            most = max(_FEWEST_LAYERS, 2 * (fit // 2))
            self._layers[index] = _ThinnedFile(os.path.join(self.directory, name), header, FIELDS * parameters, most)
        self._write_manifest()

    def _sketch(self, objective: int, step: int, values: torch.Tensor) -> None:
        sketch = self._sketches.get(objective)
        if sketch is not None:
            sketch.append(step, bytes(bytes_of(values)))

    def _append_layers(self, objective: int, step: int, values: list[float]) -> None:
        file = self._layers.get(objective)
        if file is not None:
            # By torch: struct refuses what float32 cannot hold, and this makes it infinite.
            single = torch.tensor(values, dtype=torch.float32)
            file.append(step, bytes(bytes_of(single)))

    def _snapshot(self, objective: int, step: int, buffer: SnapshotBuffer, drop: list[int], every: int) -> None:
        began = time.thread_time()
        folder = os.path.join(self.directory, "snapshots")
        metadata = {"step": str(step), "objective": str(objective), "run": str(self.manifest["id"])}
        header, _, _ = encode_header(buffer.specs, metadata)
        # The pages of a dropped snapshot are written over: fresh ones are most of what a snapshot costs.
        beside = self._spare.pop() if self._spare else os.path.join(folder, f"{step}.{os.getpid()}.tmp")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            size = os.write(descriptor, header)
            data = bytes_of(buffer.memory)
            while len(data):
                n = os.write(descriptor, data)
                size += n
                data = data[n:]
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
            buffer.free = True
        os.replace(beside, os.path.join(folder, snapshot_file(step, objective)))
        for old in drop:
            path = os.path.join(folder, snapshot_file(old, objective))
            try:
                if len(self._spare) < 2:
                    spare = os.path.join(folder, f"spare-{old}-{objective}.{os.getpid()}.tmp")
                    os.replace(path, spare)
                    self._spare.append(spare)
                else:
                    os.unlink(path)
            except OSError:
                pass  # someone else has deleted it
        recording = self.manifest["recording"]
        if objective == 0:
            recording["snapshotEvery"] = every
        self._kept.setdefault(objective, set()).add(step)
        self._kept[objective].difference_update(drop)
        recording["snapshots"] = sum(map(len, self._kept.values()))
        self._dirty = True
        self._snapshot_seconds[objective] = time.thread_time() - began

    def _evaluation_set(
        self, objective: int, split: str, tensors: list[tuple[str, torch.Tensor]], metadata: dict[str, str], info: Optional[dict]
    ) -> None:
        path = os.path.join(self.directory, "data", evaluation_set_file(split, objective))
        try:
            write_file(path, tensors, metadata)
        except RuntimeError as error:  # of tensors that torch itself cannot write out; all else is recorded on
            self._note(f"The {split} samples could not be kept: {str(error).splitlines()[0]}")
            return
        if info is None:
            return
        known = self.manifest.get("evaluationSet") or {"train": info, "validation": None}
        self.manifest["evaluationSet"] = {**known, split: info}
        self._write_manifest()

    def _write_manifest(self) -> None:
        self.manifest["updated"] = now()
        replace_file(os.path.join(self.directory, "run.json"), json.dumps(self.manifest, indent=2) + "\n")
        self._dirty = False
        self._written = time.monotonic()

    def end(self) -> None:
        """Writes what is left; nothing is taken afterwards."""
        def last() -> None:
            for spare in self._spare:
                os.unlink(spare)
            self._spare.clear()
            self._write_manifest()

        self.submit(last)
        self.flush()
        self._ending = True
        self._wake.set()
