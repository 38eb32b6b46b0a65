"""What the evaluator answers, held against direct computations in float64 and torch's own tools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from harness import SCRIPTS, Client, WireError, asking, command, environment, how, new_run, record, wait_for
from torch import nn

from basin_probe.safetensors import SafetensorsFile

ZERO = {"bias": False, "norm": False}


def load(client: Client, name: str, path: Path) -> None:
    client.call("load", into=name, **{"from": {"file": str(path)}})


def tensors(path: Path) -> dict[str, torch.Tensor]:
    with SafetensorsFile(str(path)) as file:
        return {name: file.read(name) for name in file.entries}


def test_gradient_and_product_against_float64() -> None:
    script = SCRIPTS / "cross_entropy_module.py"
    with new_run() as run:
        record(run, script)
        last = run.snapshot(run.snapshots()[-1])
        with asking(run, script) as client:
            load(client, "a", last)
            client.call("random", into="d", seed=3, like="a", normalisation="filter", include=ZERO)
            loss = client.call("loss", origin="a", directions=[], coefficients=[[]], how=how())["points"][0]
            client.call("gradient", at="a", into="g", how=how())
            product = client.call("hvp", at="a", vector="d", into="h", how=how(), method="exact")
            assert product["method"] == "exact"
            again = client.call("hvp", at="a", vector="d", into="h2", how=how(), method="exact")
            assert again["norm"] == product["norm"]  # the kept graph gives the same
            for name in ("d", "g", "h"):
                client.call("save", vector=name, file=str(run.directory / f"{name}.safetensors"), metadata={})
        data = tensors(run.directory / "data" / "train.safetensors")
        x = torch.cat([data[f"b{i}/0"] for i in range(8)]).double()
        y = torch.cat([data[f"b{i}/1"] for i in range(8)])
        names = ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
        at, d, g, h = (
            [tensors(p)[n].double() for n in names] for p in (last, *(run.directory / f"{k}.safetensors" for k in "dgh"))
        )
        w = [t.clone().requires_grad_() for t in at]
        direct = F.cross_entropy(torch.relu(x @ w[0].T + w[1]) @ w[2].T + w[3], y)
        gradient = torch.autograd.grad(direct, w, create_graph=True)
        second = torch.autograd.grad(sum((a * b).sum() for a, b in zip(gradient, d)), w)
        assert loss["loss"] == pytest.approx(float(direct), rel=1e-6)
        for found, wanted in ((g, gradient), (h, second)):
            off = sum(float((a - b).pow(2).sum()) for a, b in zip(found, wanted)) ** 0.5
            assert off <= 1e-5 * sum(float(b.pow(2).sum()) for b in wanted) ** 0.5


def test_refreshed_statistics_are_those_of_update_bn_and_the_export_loads_strictly() -> None:
    script = SCRIPTS / "siamese.py"
    with new_run() as run:
        record(run, script)
        with asking(run, script) as client:
            load(client, "a", run.snapshot(run.snapshots()[-1]))
            client.call("refreshStatistics", vector="a", data={"split": "train"})
            for form in ("pt", "safetensors"):
                client.call("exportModel", vector="a", directory=str(run.directory / "out"), format=form)
        net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
        state = torch.load(run.directory / "out" / "model.pt")
        net.load_state_dict(state, strict=True)
        assert sorted(tensors(run.directory / "out" / "model.safetensors")) == sorted(state)
        exported = net[1].running_mean.clone(), net[1].running_var.clone()
        data = tensors(run.directory / "data" / "train.safetensors")
        batches = [data[f"b{i}/{leaf}"] for i in range(6) for leaf in range(3)]
        torch.optim.swa_utils.update_bn(batches, net)
        assert torch.allclose(exported[0], net[1].running_mean, atol=1e-6)
        assert torch.allclose(exported[1], net[1].running_var, atol=1e-6)


def test_refuses_a_wrong_token_and_unknown_vectors() -> None:
    script = SCRIPTS / "cross_entropy_module.py"
    with new_run() as run:
        record(run, script)
        with asking(run, script) as client:
            with pytest.raises(WireError) as error:
                client.call("dots", pairs=[["no", "no"]])
            assert error.value.code == "not-found"
            endpoint = next(run.directory.glob("frozen-*.json"))
            with pytest.raises(WireError) as error:
                Client(json.loads(endpoint.read_text()), token="wrong")
            assert error.value.code == "not-allowed"


def test_what_was_recorded_survives_kill() -> None:
    script = SCRIPTS / "lbfgs.py"
    with new_run() as run:
        endless = run.directory / "endless.py"
        endless.write_text(script.read_text().replace("range(5)", "iter(int, 1)"))
        process = subprocess.Popen(command(endless), env=environment(run), cwd=run.directory)
        path = run.directory / "steps.jsonl"
        wait_for(lambda: path.exists() and path.stat().st_size > 2000, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        text = path.read_text()
        steps = [json.loads(line)["step"] for line in text[: text.rindex("\n")].splitlines()]
        assert steps == list(range(len(steps))) and len(steps) > 5
        for step in run.snapshots():
            assert tensors(run.snapshot(step))


WIDE = '''
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b, self.c = nn.Linear(8, {width}), nn.BatchNorm1d({width}), nn.Linear({width}, {width}), nn.Linear({width}, 3)

    def forward(self, x):
        {first}
        return self.c(self.b(self.norm(self.a(x)).relu()).relu())


x = torch.randn(48, 8)
y = x[:, :3].argmax(1)
net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(2):
    net.train()
    for images, labels in DataLoader(TensorDataset(x[:32], y[:32]), 16):
        optimizer.zero_grad()
        criterion(net(images), labels).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for images, labels in DataLoader(TensorDataset(x[32:], y[32:]), 16):
            criterion(net(images), labels)
'''


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone tells of a process's peak")
def test_a_model_is_loaded_and_evaluated_without_a_copy_of_its_weights(tmp_path: Path) -> None:
    """
    3072² weights take 36 MiB, more than malloc keeps for later. A process that was started again holds three such vectors of
    the script's own, and the one that is loaded: with a copy, or the file's bytes beside them, it would be five.
    """

    def peak(width: int) -> int:
        script = tmp_path / f"{width}.py"
        script.write_text(WIDE.format(width=width, first="pass"))
        with new_run() as run:
            record(run, script)
            last = run.snapshot(run.snapshots()[-1])
            with asking(run, script) as client:
                pid = json.loads(next(run.directory.glob("frozen-*.json")).read_text())["pid"]
                Path(f"/proc/{pid}/clear_refs").write_text("5")
                load(client, "a", last)
                client.call("refreshStatistics", vector="a", data={"split": "train"})
                for split in ("train", "validation"):
                    where = {**how("inference"), "data": {"split": split}}
                    client.call("score", members=["a"], how=where)
                    client.call("samples", members=["a"], how=where, inputGradient=False)
                    client.call("predictions", vector="a", how=where)
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    assert (peak(3072) - peak(32)) / (3072**2 * 4) < 4.6


def test_a_module_that_writes_to_its_weights_at_times_is_told(tmp_path: Path) -> None:
    """Only of large weights, as the check that comes first does not have them; evaluated in copies, it is right."""
    script = tmp_path / "halving.py"
    large = "w = self.b.weight.data; w.mul_(0.5 if w.abs().max() > 100 else 1)"
    script.write_text(WIDE.format(width=16, first=large))
    with new_run() as run:
        record(run, script)
        with asking(run, script) as client:
            client.call("load", into="a", **{"from": "current"})
            client.call("combine", into="b", terms=[{"coefficient": 1000, "vector": "a"}], state="a")
            with pytest.raises(WireError, match="written to the weights"):
                client.call("score", members=["b"], how=how("inference"))
            client.call("combine", into="b", terms=[{"coefficient": 1000, "vector": "a"}], state="a")
            found = [client.call("score", members=["b"], how=how("inference")) for _ in range(2)]
            assert found[0] == found[1]


def test_a_module_that_writes_to_its_weights_leaves_the_vectors_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / "clipping.py"
    script.write_text(WIDE.format(width=16, first="self.b.weight.data.clamp_(-0.05, 0.05)"))
    with new_run() as run:
        record(run, script)
        with asking(run, script) as client:
            client.call("load", into="a", **{"from": "current"})
            client.call("random", into="d", seed=3, like="a", normalisation="filter", include=ZERO)
            terms = [{"coefficient": c, "vector": v} for c, v in ((1, "a"), (5, "d"))]
            client.call("combine", into="b", terms=terms, state="a")
            client.call("save", vector="b", file=str(tmp_path / "before"), metadata={})
            client.call("refreshStatistics", vector="b", data={"split": "train"})
            found = [client.call("score", members=["b"], how=how("inference")) for _ in range(2)]
            client.call("samples", members=["b"], how=how("inference"), inputGradient=False)
            client.call("predictions", vector="b", how=how("inference"))
            assert found[0] == found[1]
            client.call("save", vector="b", file=str(tmp_path / "after"), metadata={})
        before, after = tensors(tmp_path / "before"), tensors(tmp_path / "after")
        for name in ("a.weight", "b.weight", "c.weight"):
            assert torch.equal(before[name], after[name]), name
        assert float(after["b.weight"].abs().max()) > 0.05
