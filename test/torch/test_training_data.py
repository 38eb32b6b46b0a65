"""Batches drawn from a script's own training data: which, in what order, and that nothing of the script's moves."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from harness import SCRIPTS, Client, WireError, asking, command, environment, new_run, record, wait_for

DRAWN = {"data": {"split": "train", "drawn": "d"}, "mode": "as-trained", "refresh": False}

#: 300 samples in batches of 32 of a loader that shuffles by the global stream; what follows is a data set's own noise.
LOADER = """
import random
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(3)
random.seed(4)
x = torch.randn(300, 6)
y = x[:, :3].argmax(1)


class Noisy(Dataset):
    def __init__(self):
        self.random = random.Random(5)
        self.read = 0
        self.order = []

    def __len__(self):
        return 300

    def __getitem__(self, i):
        self.read += 1
        self.order.append(i)
        return x[i] + NOISE * self.random.random(), y[i]


def main():
    data = Noisy()
    loader = DataLoader(data, batch_size=32, shuffle=SHUFFLE)
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(2):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
    return data, torch.rand(1).item(), random.random()


DATA, AFTER, PYTHON = main()
print(AFTER, PYTHON, DATA.read, DATA.random.random(), len(DATA.order), flush=True)
"""


def script(folder: Path, text: str, **values: Any) -> Path:
    for name, value in values.items():
        text = text.replace(name, repr(value))
    file = folder / "train.py"
    file.write_text(text)
    return file


def draw(client: Client, start: int, count: int, seed: int = 1) -> dict[str, Any]:
    return client.call("draw", into="d", seed=seed, count=count, **{"from": start})


def losses(client: Client, count: int) -> list[float]:
    """Of each drawn batch by itself, at the vector ``a``."""
    found = []
    for i in range(count):
        how = {**DRAWN, "data": {**DRAWN["data"], "batches": [i, i + 1]}}
        found.append(client.call("loss", origin="a", directions=[], coefficients=[[]], how=how)["points"][0]["loss"])
    return found


def mean_loss(client: Client) -> float:
    return client.call("loss", origin="a", directions=[], coefficients=[[]], how=DRAWN)["points"][0]["loss"]


def test_every_sample_once_an_epoch_in_an_order_that_the_seed_decides() -> None:
    with new_run() as run:
        file = script(run.directory, LOADER, SHUFFLE=True, NOISE=0.0, DROPOUT=0.0)
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": "current"})
            told = draw(client, 0, 10)
            assert told["source"] == {"kind": "loader", "samples": 300, "batches": 10, "reason": None}
            assert told["samples"] == 300
            first, whole = losses(client, 10), mean_loss(client)
            draw(client, 10, 10)
            second = losses(client, 10)
            # All 300 in both, in other batches.
            assert mean_loss(client) == pytest.approx(whole, rel=1e-6)
            assert len(set(first) | set(second)) == 20
            draw(client, 0, 10, seed=2)
            assert len(set(losses(client, 10)) & set(first)) == 0
            assert mean_loss(client) == pytest.approx(whole, rel=1e-6)
            # A drawing that begins inside of an epoch is the same as one that has come there.
            draw(client, 7, 6)
            assert losses(client, 6) == first[7:] + second[:3]
            draw(client, 0, 10)
            assert losses(client, 10) == first


def test_the_scripts_own_order_where_it_does_not_shuffle() -> None:
    with new_run() as run:
        file = script(run.directory, LOADER, SHUFFLE=False, NOISE=0.0, DROPOUT=0.0)
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(0))}})
            draw(client, 0, 1)
            recorded = run.steps()[0]["loss"]
            first = losses(client, 1)
            assert first == pytest.approx([recorded], rel=1e-6)
            draw(client, 10, 1, seed=9)
            assert losses(client, 1) == first


def test_noise_is_fresh_at_every_position_and_the_same_whenever_it_is_drawn() -> None:
    for values in ({"NOISE": 1.0, "DROPOUT": 0.0}, {"NOISE": 0.0, "DROPOUT": 0.5}):
        with new_run() as run:
            file = script(run.directory, LOADER, SHUFFLE=False, **values)
            record(run, file)
            with asking(run, file) as client:
                client.call("load", into="a", **{"from": "current"})
                draw(client, 0, 1)
                first = losses(client, 1)
                assert losses(client, 1) == first
                draw(client, 10, 1)  # the same samples an epoch later
                again = losses(client, 1)
                assert again != first
                draw(client, 0, 1)
                assert losses(client, 1) == first
                draw(client, 10, 1)
                assert losses(client, 1) == again


def test_a_held_process_is_as_it_was() -> None:
    """What the script would do next, of a process that was drawn from in between, and of one that was not."""
    ends = []
    for asked in (False, True):
        with new_run() as run:
            file = script(run.directory, LOADER, SHUFFLE=True, NOISE=1.0, DROPOUT=0.5)
            file.write_text(
                file.read_text()
                + textwrap.dedent("""
                import atexit, sys
                probe = sys.modules["basin_probe"]._probe
                atexit.unregister(probe.finish)
                probe.finish()  # held here, and then the script goes on
                state = {k: v for k, v in DATA.__dict__.items() if k != "random"}
                print("then", torch.rand(1).item(), random.random(), DATA.random.random(), state, flush=True)
                """)
            )
            with asking(run, file, mode="record", holdSeconds=60) as client:
                # A client that comes before the end is told to wait.
                try:
                    draw(client, 0, 1)
                except WireError as error:
                    assert error.code == "busy"
                wait_for(lambda: client.call("status")["state"] == "held")
                if asked:
                    client.call("load", into="a", **{"from": "current"})
                    assert draw(client, 0, 25)["source"]["kind"] == "loader"
                    for _ in range(3):
                        client.call("gradient", at="a", into="g", how=DRAWN, keepState=True)
                    draw(client, 3, 2)
                client.call("resume")
            text = (run.directory / "output.log").read_text()
            ends.append(text[text.index("then") :])
    assert ends[0] == ends[1]


def test_batches_taken_by_hand_are_drawn_from_the_rows_of_their_tensors() -> None:
    file = SCRIPTS / "cross_entropy_function.py"
    with new_run() as run:
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": "current"})
            assert draw(client, 0, 8)["source"] == {"kind": "tensors", "samples": 512, "batches": 8, "reason": None}
            how = {**DRAWN, "mode": "inference"}
            points = client.call("loss", origin="a", directions=[], coefficients=[[]], how=how)["points"]
            draw(client, 8, 8)
            again = client.call("loss", origin="a", directions=[], coefficients=[[]], how=how)["points"]
            assert points[0]["loss"] == pytest.approx(again[0]["loss"], rel=1e-6)


def test_rows_of_a_permutation_are_those_that_it_names() -> None:
    """The held-out part of the tensor is none of the training data."""
    text = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(400, 4)
y = x.sum(1, keepdim=True)
x[300:] = float("nan")
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
order = torch.randperm(300)
for start in range(0, 300, 30):
    rows = order[start : start + 30]
    optimizer.zero_grad()
    nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
    optimizer.step()
"""
    with new_run() as run:
        file = script(run.directory, text)
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": "current"})
            told = draw(client, 0, 10)
            assert told["source"] == {"kind": "tensors", "samples": 300, "batches": 10, "reason": None}
            assert all(loss == loss for loss in losses(client, 10))


def test_tensors_that_hold_the_validation_samples_too_are_no_source() -> None:
    text = """
import numpy
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(400, 4)
y = x.sum(1, keepdim=True)
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
rows = numpy.random.RandomState(0).permutation(400)
for start in range(0, 300, 30):
    net.train()
    optimizer.zero_grad()
    chosen = rows[start : start + 30]
    nn.functional.mse_loss(net(x[chosen]), y[chosen]).backward()
    optimizer.step()
    net.eval()
    with torch.no_grad():
        nn.functional.mse_loss(net(x[rows[300:]]), y[rows[300:]])
"""
    with new_run() as run:
        file = script(run.directory, text)
        record(run, file)
        with asking(run, file) as client:
            assert client.description["validation"] is not None
            source = draw(client, 0, 1)["source"]
            assert source["kind"] == "recorded" and "validation samples" in source["reason"]


def test_micro_batches_of_accumulation_are_drawn_together() -> None:
    file = SCRIPTS / "accumulation.py"
    with new_run() as run:
        record(run, file)
        with asking(run, file) as client:
            train = client.description["train"]
            client.call("load", into="a", **{"from": "current"})
            told = draw(client, 0, 1)
            assert told["source"]["kind"] in ("loader", "tensors", "recorded")
            assert told["samples"] * train["batches"] == train["samples"]


def test_a_stream_of_unknown_length() -> None:
    text = """
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class Stream(IterableDataset):
    def __init__(self):
        self.given = 0

    def __iter__(self):
        for i in range(50):
            self.given += 1
            x = torch.full((4,), float(self.given % 7))
            yield x, x.sum(0, keepdim=True)


torch.manual_seed(0)
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
for x, y in DataLoader(Stream(), batch_size=10):
    optimizer.zero_grad()
    F.mse_loss(net(x), y).backward()
    optimizer.step()
"""
    with new_run() as run:
        file = script(run.directory, text)
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": "current"})
            told = draw(client, 0, 3)
            assert told["source"] == {"kind": "loader", "samples": None, "batches": None, "reason": None}
            first = losses(client, 3)
            assert draw(client, 3, 9)["samples"] == 90  # through its end and on
            later = losses(client, 9)
            assert draw(client, 0, 12)["samples"] == 120
            assert losses(client, 12) == first + later


def test_state_is_kept_as_behind_a_training_step() -> None:
    """Batch norm's running averages after a pass as trained, held against the layer's own."""
    file = SCRIPTS / "conv_batch_norm_dropout.py"
    with new_run() as run:
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(0))}})
            draw(client, 0, 1)
            for keeps in (False, True):
                client.call("gradient", at="a", into="g", how=DRAWN, keepState=keeps)
                client.call("save", vector="a", file=str(run.directory / f"{keeps}.safetensors"), metadata={})
            with pytest.raises(WireError) as error:
                client.call("gradient", at="a", into="g", how={**DRAWN, "mode": "inference"}, keepState=True)
            assert error.value.code == "bad-input"
        from basin_probe.safetensors import SafetensorsFile

        with SafetensorsFile(str(run.directory / "False.safetensors")) as before:
            with SafetensorsFile(str(run.directory / "True.safetensors")) as after:
                moved = {n for n in before.entries if not before.read(n).equal(after.read(n))}
        assert moved and all("running" in n or "num_batches" in n for n in moved)


def test_batches_that_were_not_drawn() -> None:
    file = SCRIPTS / "cross_entropy_function.py"
    with new_run() as run:
        record(run, file)
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": "current"})
            with pytest.raises(WireError) as error:
                client.call("gradient", at="a", into="g", how=DRAWN)
            assert error.value.code == "not-found"
            with pytest.raises(WireError) as error:
                draw(client, -1, 2)
            assert error.value.code == "bad-input"


def test_a_named_loss_is_drawn_from_the_loader_that_was_named() -> None:
    file = next(iter(sorted((SCRIPTS.parent / "scripts-watched").glob("*.py"))))
    with new_run() as run:
        record(run, file)
        assert json.loads((run.directory / "run.json").read_text())["objectives"]
        with asking(run, file) as client:
            client.call("load", into="a", **{"from": "current"})
            told = draw(client, 0, 3)
            assert told["source"]["kind"] == "loader", told
            assert len(set(losses(client, 3))) == 3
