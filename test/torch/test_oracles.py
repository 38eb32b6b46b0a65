"""Closed forms, and torch's own averaging, against what the evaluator answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from harness import Client, asking, how, new_run, record
from test_evaluator import load, tensors
from torch import nn

LINEAR = '''
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
x = torch.randn(100, 6, dtype=torch.{dtype}) * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2, 0.1])
y = x.sum(1, keepdim=True)
torch.save(x, r"{folder}/x.pt")
net = torch.nn.Linear(6, 1, bias=False, dtype=torch.{dtype})
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
loader = DataLoader(TensorDataset(x, y), batch_size={batch})
for epoch in range({epochs}):
    for a, b in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(a), b).backward()
        optimizer.step()
'''


def save(client: Client, vector: str, path: Path) -> dict[str, torch.Tensor]:
    client.call("save", vector=vector, file=str(path), metadata={})
    return tensors(path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [100, 32, 7])
def test_linear_regression_has_its_hessian_whatever_the_batches(batch: int, dtype: str, tmp_path: Path) -> None:
    """H = (2/N)·XᵀX; with 32 and 7 the last batch is smaller."""
    script = tmp_path / "linear.py"
    script.write_text(LINEAR.format(dtype=dtype, folder=tmp_path, batch=batch, epochs=8 if batch == 100 else 2))
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        x = torch.load(tmp_path / "x.pt").double()
        hessian = 2 / len(x) * x.T @ x
        with asking(run, script) as client:
            assert client.description["train"]["samples"] == 100
            load(client, "at", run.snapshot(0))
            vectors, products = [], []
            for seed in range(3):
                all_of_it = {"bias": True, "norm": True}
                client.call("random", into="v", seed=seed, like="at", normalisation="none", include=all_of_it)
                told = client.call("hvp", at="at", vector="v", into="hv", how=how(), method="exact")
                assert told["method"] == "exact"
                vectors.append(save(client, "v", tmp_path / "v")["weight"].double().flatten())
                products.append(save(client, "hv", tmp_path / "hv")["weight"].double().flatten())
            wanted = torch.stack(vectors) @ hessian
            off = (torch.stack(products) - wanted).norm() / wanted.norm()
            # Vectors inside the evaluator are float32, whatever the script computes in.
            assert off < 1e-5


def test_an_average_equals_averaged_model_and_update_bn_of_swa_utils(tmp_path: Path) -> None:
    script = Path(__file__).with_name("scripts") / "siamese.py"
    with new_run() as run:
        record(run, script, every=1)
        steps = run.snapshots()[-5:]
        net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
        averaged = torch.optim.swa_utils.AveragedModel(net)
        with asking(run, script) as client:
            for i, step in enumerate(steps):
                load(client, f"m{i}", run.snapshot(step))
            terms = [{"coefficient": 1 / len(steps), "vector": f"m{i}"} for i in range(len(steps))]
            client.call("combine", into="average", terms=terms, state="m0")
            client.call("refreshStatistics", vector="average", data={"split": "train"})
            client.call("exportModel", vector="average", directory=str(tmp_path), format="pt")
            for i in range(len(steps)):
                client.call("exportModel", vector=f"m{i}", directory=str(tmp_path / str(i)), format="pt")
        for i in range(len(steps)):
            net.load_state_dict(torch.load(tmp_path / str(i) / "model.pt"), strict=True)
            averaged.update_parameters(net)
        data = tensors(run.directory / "data" / "train.safetensors")
        torch.optim.swa_utils.update_bn([data[f"b{i}/{leaf}"] for i in range(6) for leaf in range(3)], averaged)
        ours = torch.load(tmp_path / "model.pt")
        for name, theirs in averaged.module.state_dict().items():
            if theirs.is_floating_point():
                assert torch.allclose(ours[name], theirs, atol=1e-6, rtol=1e-6), name


@pytest.mark.skipif(
    not hasattr(torch.optim.swa_utils, "get_ema_multi_avg_fn"), reason="moving averages came with torch 2.1"
)
@pytest.mark.parametrize("momentum", ["0.1", "None"])
def test_a_moving_average_equals_that_of_swa_utils(momentum: str, tmp_path: Path) -> None:
    """With batch norm of running averages, and of cumulative ones (momentum None)."""
    decay = 0.7
    plain = Path(__file__).with_name("scripts") / "siamese.py"
    script = tmp_path / "siamese.py"
    script.write_text(plain.read_text().replace("BatchNorm1d(32)", f"BatchNorm1d(32, momentum={momentum})"))
    assert f"momentum={momentum}" in script.read_text()
    with new_run() as run:
        record(run, script, every=1)
        steps = run.snapshots()[-5:]
        net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
        ema = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
        averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=ema)
        with asking(run, script) as client:
            n = len(steps)
            terms = [
                {"coefficient": (1 if i == 0 else 1 - decay) * decay ** (n - 1 - i), "vector": f"m{i}"} for i in range(n)
            ]
            for i, step in enumerate(steps):
                load(client, f"m{i}", run.snapshot(step))
                client.call("exportModel", vector=f"m{i}", directory=str(tmp_path / str(i)), format="pt")
            client.call("combine", into="average", terms=terms, state="m0")
            client.call("refreshStatistics", vector="average", data={"split": "train"})
            client.call("exportModel", vector="average", directory=str(tmp_path), format="pt")
        for i in range(n):
            net.load_state_dict(torch.load(tmp_path / str(i) / "model.pt"), strict=True)
            averaged.update_parameters(net)
        data = tensors(run.directory / "data" / "train.safetensors")
        torch.optim.swa_utils.update_bn([data[f"b{i}/{leaf}"] for i in range(6) for leaf in range(3)], averaged)
        ours = torch.load(tmp_path / "model.pt")
        for name, theirs in averaged.module.state_dict().items():
            if theirs.is_floating_point():
                assert torch.allclose(ours[name], theirs, atol=1e-6, rtol=1e-6), name
