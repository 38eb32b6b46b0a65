"""Predictions and ensembles of every kind of loss, against torch's own functions on the exported members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from harness import WireError, asking, how, new_run, record
from test_evaluator import load

SCRIPT = '''
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)
x = torch.randn(40, 5)
y = {target}
torch.save((x, y), r"{folder}/data.pt")
net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, {width}){last}){half}
criterion = {loss}
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
for epoch in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16):
        optimizer.zero_grad()
        criterion(net(a{cast}), b{like}).backward()
        optimizer.step()
'''
CLASSES = {"target": "x[:, :3].argmax(1)", "width": 3, "last": ""}
BINARY = {"target": "(x[:, :1] > 0).float()", "width": 1}
KINDS = {
    "logits": {**CLASSES, "loss": "nn.CrossEntropyLoss()"},
    "log-probabilities": {**CLASSES, "last": ", nn.LogSoftmax(1)", "loss": "nn.NLLLoss()"},
    "binary-logits": {**BINARY, "last": "", "loss": "nn.BCEWithLogitsLoss()"},
    "binary-probabilities": {**BINARY, "last": ", nn.Sigmoid()", "loss": "nn.BCELoss()"},
    "values": {"target": "x[:, :2] * 2", "width": 2, "last": "", "loss": "nn.MSELoss()"},
    "bfloat16": {
        **CLASSES, "loss": "nn.CrossEntropyLoss()", "half": ".to(torch.bfloat16)", "cast": ".to(torch.bfloat16)"
    },
}  # fmt: skip


def log_probabilities(kind: str, out: torch.Tensor) -> torch.Tensor:
    """Of the classes, two for binary outputs."""
    if kind in ("logits", "log-probabilities", "bfloat16"):
        return F.log_softmax(out, 1)
    z = torch.logit(out) if kind == "binary-probabilities" else out
    return F.log_softmax(torch.cat([torch.zeros_like(z), z], 1), 1)


@pytest.mark.parametrize(
    ("kind", "loss", "path"),
    [
        ("logits", "criterion(net(a), b)", []),
        ("logits", "criterion(net(a)['out'], b)", [["item", "out"]]),
        ("logits", "criterion(net(a)[1].out, b)", [["item", 1], ["attribute", "out"]]),
        # Softmax and sigmoid of the script's own: what the model gives is another thing.
        ("log-probabilities", "criterion(torch.log_softmax(net(a), 1), b)", None),
        ("binary-probabilities", "criterion(torch.sigmoid(net(a)), b)", None),
        ("values", "criterion(net(a).flatten(), b.flatten())", []),
    ],
)
def test_says_where_in_what_the_model_gives_the_prediction_is(
    tmp_path: Path, kind: str, loss: str, path: Any
) -> None:
    script = tmp_path / "train.py"
    own = {**KINDS[kind], "last": ""} if path is None else KINDS[kind]
    text = SCRIPT.format(**{"half": "", "cast": "", "like": "", "folder": tmp_path, **own})
    if path:
        gives = "{'out': super().forward(x)}" if path == [["item", "out"]] else "(x, SimpleNamespace(out=super().forward(x)))"
        text = text.replace("net = nn.Sequential(", f"class Net(nn.Sequential):\n    def forward(self, x):\n        return {gives}\nnet = Net(")
    script.write_text("from types import SimpleNamespace\n" + text.replace("criterion(net(a), b)", loss))
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        with asking(run, script) as client:
            load(client, "a", run.snapshot(0))
            predictions = client.call("predictions", vector="a", how=how("as-trained"))
            assert (predictions["form"], predictions["path"]) == (kind, path)


def test_weight_penalty_of_an_ensemble_is_the_mean_of_its_members(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    text = SCRIPT.format(**{"half": "", "cast": "", "like": "", "folder": tmp_path, **KINDS["logits"]})
    penalty = " + 0.05 * sum(p.pow(2).sum() for p in net.parameters())"
    script.write_text(text.replace("criterion(net(a), b).backward()", f"(criterion(net(a), b){penalty}).backward()"))
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        x, y = torch.load(tmp_path / "data.pt")
        logs, penalties = [], []
        with asking(run, script) as client:
            where = how("inference")
            for i, step in enumerate(run.snapshots()[::3]):
                load(client, f"m{i}", run.snapshot(step))
                client.call("exportModel", vector=f"m{i}", directory=str(tmp_path / str(i)), format="pt")
                net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
                net.load_state_dict(torch.load(tmp_path / str(i) / "model.pt"))
                with torch.no_grad():
                    logs.append(F.log_softmax(net(x).double(), 1))
                    penalties.append(0.05 * sum(float(p.double().pow(2).sum()) for p in net.parameters()))
            names = [f"m{i}" for i in range(len(logs))]
            assert len(names) >= 3 and max(penalties) - min(penalties) > 0.02
            wanted = F.nll_loss(torch.stack(logs).exp().mean(0).log(), y) + sum(penalties) / len(penalties)
            for order in (names, names[::-1]):
                found = client.call("score", members=order, how=where)["loss"]
                assert found == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize("kind", list(KINDS))
def test_predictions_and_ensembles(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(**{"half": "", "cast": "", "like": "", "folder": tmp_path, **KINDS[kind]}))
    dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
    close = {"atol": 2e-2, "rtol": 2e-2} if kind == "bfloat16" else {"atol": 1e-5, "rtol": 1e-5}
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        steps = run.snapshots()[-4::2]
        x, y = torch.load(tmp_path / "data.pt")
        with asking(run, script) as client:
            where = how("inference")
            outs, told = [], []
            for i, step in enumerate(steps):
                load(client, f"m{i}", run.snapshot(step))
                client.call("exportModel", vector=f"m{i}", directory=str(tmp_path / str(i)), format="pt")
                state = torch.load(tmp_path / str(i) / "model.pt")
                width = KINDS[kind]["width"]
                net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, width)).to(dtype)
                net.load_state_dict(state)
                with torch.no_grad():
                    out = net(x.to(dtype)).double()
                outs.append(torch.sigmoid(out) if kind == "binary-probabilities" else out)
                told.append(client.call("predictions", vector=f"m{i}", how=where))
            assert all(t["reason"] is None and t["samples"] == 40 for t in told)
            rows = [torch.tensor(t["values"]).reshape(40, t["width"]) for t in told]
            members = ["m0", "m1"]

            def score(combine: str | None) -> float:
                more = {} if combine is None else {"combine": combine}
                values = client.call("samples", members=members, how=where, inputGradient=False, **more)["loss"]
                found = client.call("score", members=members, how=where, **more)["loss"]
                assert sum(values) / 40 == pytest.approx(found, rel=2e-2 if kind == "bfloat16" else 1e-5)
                return found

            if kind == "values":
                assert all(t["kind"] == "values" for t in told)
                for row, out in zip(rows, outs):
                    assert torch.allclose(row.double(), out, **close)
                assert torch.allclose(torch.tensor(told[0]["targets"]).reshape(40, 2), y.float())
                wanted = F.mse_loss((outs[0] + outs[1]) / 2, y.double())
                assert score(None) == pytest.approx(float(wanted), rel=1e-5)
                assert score("mean") == score(None)
                with pytest.raises(WireError, match="values"):
                    score("logit")
                return
            assert all(t["kind"] == "classes" for t in told)
            logs = [log_probabilities(kind, out) for out in outs]
            for row, log in zip(rows, logs):
                assert torch.allclose(row.double(), log, **close)
            labels = y.long().reshape(-1)
            assert told[0]["targets"] == labels.tolist()
            by_probability = torch.stack([log.exp() for log in logs]).mean(0).log()
            by_logit = F.log_softmax(torch.stack(logs).mean(0), 1)
            tolerance = 2e-2 if kind == "bfloat16" else 1e-5
            assert score("probability") == pytest.approx(float(F.nll_loss(by_probability, labels)), rel=tolerance)
            assert score("logit") == pytest.approx(float(F.nll_loss(by_logit, labels)), rel=tolerance)
            assert score(None) == score("probability")
            # Jensen: the log loss of a mean probability is at most the mean of the log losses.
            alone = [client.call("score", members=[m], how=where)["loss"] for m in members]
            assert score("probability") <= sum(alone) / 2 + (1e-3 if kind == "bfloat16" else 1e-7)
            with pytest.raises(WireError, match="classes"):
                score("mean")


#: loss of the script → (width of the output, the loss of what an ensemble predicts)
BY_HAND = {
    "((net(a) - b) ** 2).mean()": (2, lambda out, y: F.mse_loss(out, y)),
    "(b - net(a)).pow(2).sum(1).mean()": (2, lambda out, y: 2 * F.mse_loss(out, y)),
    "(lambda d: (d * d).mean())(net(a) - b)": (2, lambda out, y: F.mse_loss(out, y)),
    "(lambda out: F.mse_loss(out, b) + 0.5 * F.l1_loss(out, b))(net(a))": (
        2, lambda out, y: F.mse_loss(out, y) + 0.5 * F.l1_loss(out, y)
    ),
    "(lambda out: F.mse_loss(out, b) + 0.5 * (out - b).abs().mean())(net(a))": (
        2, lambda out, y: F.mse_loss(out, y) + 0.5 * F.l1_loss(out, y)
    ),
    "(lambda out: 0.5 * F.mse_loss(out, F.one_hot(b, 3).float()) + F.cross_entropy(out, b))(net(a))": (
        3, lambda out, y: 0.5 * F.mse_loss(out, F.one_hot(y, 3).to(out.dtype)) + F.cross_entropy(out, y)
    ),
}  # fmt: skip


@pytest.mark.parametrize("loss", list(BY_HAND))
def test_ensembles_of_losses_by_hand_and_of_several_terms(loss: str, tmp_path: Path) -> None:
    width, scored = BY_HAND[loss]
    script = tmp_path / "train.py"
    settings = {**(CLASSES if width == 3 else KINDS["values"]), "half": "", "cast": "", "like": "", "loss": "None"}
    text = SCRIPT.format(**{**settings, "folder": tmp_path}).replace("lr=0.5", "lr=0.1")
    text = text.replace("criterion(net(a), b)", f"({loss})").replace("import torch\n", "import torch\nimport torch.nn.functional as F\n", 1)
    script.write_text(text)
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        x, y = torch.load(tmp_path / "data.pt")
        outs = []
        with asking(run, script) as client:
            assert client.description["predictions"]
            where = how("inference")
            for i, step in enumerate(run.snapshots()[-5::2]):
                load(client, f"m{i}", run.snapshot(step))
                client.call("exportModel", vector=f"m{i}", directory=str(tmp_path / str(i)), format="pt")
                net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, width))
                net.load_state_dict(torch.load(tmp_path / str(i) / "model.pt"))
                with torch.no_grad():
                    outs.append(net(x).double())
                alone = client.call("score", members=[f"m{i}"], how=where)["loss"]
                assert alone == pytest.approx(float(scored(outs[-1], y)), rel=1e-5)
            together = torch.stack(outs)
            mean = together.softmax(2).mean(0).log() if width == 3 else together.mean(0)
            members = [f"m{i}" for i in range(len(outs))]
            found = client.call("score", members=members, how=where)["loss"]
            assert found == pytest.approx(float(scored(mean, y)), rel=1e-5)
            values = client.call("samples", members=members, how=where, inputGradient=False)["loss"]
            assert sum(values) / 40 == pytest.approx(found, rel=1e-5)


def test_an_ensemble_of_two_different_outputs_is_refused_with_its_cure(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    settings = {**KINDS["values"], "half": "", "cast": "", "like": "", "folder": tmp_path}
    two = "criterion(net(a), b) + criterion(net(2 * a), b)"
    script.write_text(SCRIPT.format(**settings).replace("criterion(net(a), b)", f"({two})"))
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        with asking(run, script) as client:
            assert not client.description["predictions"]
            for i, step in enumerate(run.snapshots()[-2:]):
                load(client, f"m{i}", run.snapshot(step))
            with pytest.raises(WireError, match="cannot be told apart"):
                client.call("score", members=["m0", "m1"], how=how("inference"))


def test_a_dense_output_tells_what_kind_it_is_without_rows(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    settings = {**CLASSES, "half": "", "cast": "", "like": "", "folder": tmp_path, "loss": "nn.CrossEntropyLoss()"}
    text = SCRIPT.format(**settings).replace("y = x[:, :3].argmax(1)", "y = (x[:, :4] > 0).long()")
    text = text.replace("nn.Linear(8, 3)", "nn.Linear(8, 12), nn.Unflatten(1, (3, 4))")
    script.write_text(text)
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        with asking(run, script) as client:
            load(client, "m", run.snapshot(run.snapshots()[-1]))
            told = client.call("predictions", vector="m", how=how("inference"))
            assert told["kind"] is None and told["form"] == "logits" and told["reason"]
