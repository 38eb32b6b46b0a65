"""Gauss–Newton products, values of samples, ranges of batches, vectors by element and second moments, against closed forms."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Iterator

import pytest
import torch
import torch.nn.functional as F
from harness import Client, WireError, asking, how, new_run, record
from test_evaluator import load, tensors

HEAD = '''
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
N, D, K = 45, 5, 3
x = torch.randn(N, D) * {scale}
classes = torch.randint(0, K, (N,))
yes = (torch.rand(N) > 0.4).float()
values = torch.randn(N, 2)
torch.save([x, classes, yes, values], r"{folder}/data.pt")
'''
TAIL = '''
loader = DataLoader(TensorDataset(x, target), batch_size=16)
for epoch in range(3):
    for a, b in loader:
        optimizer.zero_grad()
        ({loss}).backward()
        optimizer.step()
'''
MLP = "net = nn.Sequential(nn.Linear(D, 6), nn.Tanh(), nn.Linear(6, {out}){last})\n"


@contextlib.contextmanager
def trained(
    folder: Path,
    net: str,
    target: str,
    loss: str,
    optimizer: str = "torch.optim.SGD(net.parameters(), lr=0.05)",
    scale: float = 1.0,
    **options: Any,
) -> Iterator[tuple[Client, list[torch.Tensor], Path]]:
    """A script of these parts, recorded, and a client with the vector "at" at its first snapshot; (client, data, snapshot)."""
    script = folder / "script.py"
    parts = [HEAD.format(folder=folder, scale=scale), net, f"target = {target}", f"optimizer = {optimizer}"]
    script.write_text("\n".join(parts) + TAIL.format(loss=loss))
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        snapshot = run.snapshot(0)
        with asking(run, script, **options) as client:
            load(client, "at", snapshot)
            yield client, torch.load(folder / "data.pt"), snapshot


def vector(client: Client, name: str, folder: Path) -> torch.Tensor:
    """As one flat tensor, in the order of the parameters."""
    client.call("save", vector=name, file=str(folder / "vector"), metadata={})
    found = tensors(folder / "vector")
    return torch.cat([found[p["name"]].double().flatten() for p in client.description["objective"]["parameters"]])


def draw(client: Client, name: str, seed: int = 1) -> None:
    client.call("random", into=name, seed=seed, like="at", normalisation="none", include={"bias": True, "norm": True})


def product(client: Client, folder: Path, matrix: str, method: str = "exact", **options: Any) -> torch.Tensor:
    told = client.call("hvp", at="at", vector="v", into="mv", how=how(**options), method=method, matrix=matrix)
    assert told["method"] == method
    return vector(client, "mv", folder)


def off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def forward(flat: torch.Tensor, x: torch.Tensor, out: int) -> torch.Tensor:
    """Two layers of MLP, in the flat vector's precision."""
    d = x.shape[1]
    w1, b1, w2, b2 = flat.split([6 * d, 6, out * 6, out])
    return torch.tanh(x @ w1.view(6, d).T + b1) @ w2.view(out, 6).T + b2


LINEAR_IN_THE_WEIGHTS = {
    "least squares": ("net = nn.Linear(D, 2)", "values", "F.mse_loss(net(a), b)"),
    "softmax regression": ("net = nn.Linear(D, K)", "classes", "nn.CrossEntropyLoss()(net(a), b)"),
    "label smoothing": ("net = nn.Linear(D, K)", "classes", "F.cross_entropy(net(a), b, label_smoothing=0.1)"),
    "log-probabilities": ("net = nn.Sequential(nn.Linear(D, K), nn.LogSoftmax(1))", "classes", "F.nll_loss(net(a), b)"),
    "log-probabilities by hand": (
        "net = nn.Sequential(nn.Linear(D, K), nn.LogSoftmax(-1))",
        "F.one_hot(classes, K).float()",
        "-(net(a) * b).sum(1).mean()",
    ),
    "logistic regression": (
        "net = nn.Linear(D, 1)",
        "yes[:, None]",
        "F.binary_cross_entropy_with_logits(net(a), b)",
    ),
    "sigmoid": ("net = nn.Sequential(nn.Linear(D, 1), nn.Sigmoid())", "yes[:, None]", "nn.BCELoss()(net(a), b)"),
    "squares by hand": ("net = nn.Linear(D, 2)", "values", "(net(a) - b).pow(2).mean()"),
}


@pytest.mark.parametrize("name", LINEAR_IN_THE_WEIGHTS)
def test_gauss_newton_is_the_hessian_where_logits_are_linear_in_the_weights(name: str, tmp_path: Path) -> None:
    net, target, loss = LINEAR_IN_THE_WEIGHTS[name]
    with trained(tmp_path, net, target, loss) as (client, _, _):
        draw(client, "v")
        hessian = product(client, tmp_path, "hessian")
        assert hessian.norm() > 1e-2
        assert off(product(client, tmp_path, "gauss-newton"), hessian) < 1e-5
        rough = off(product(client, tmp_path, "gauss-newton", "finite-difference"), hessian)
        assert 0 < rough < 5e-3


@pytest.mark.parametrize("penalty", ["", " + 0.3 * sum(p.pow(2).sum() for p in net.parameters())"])
def test_gauss_newton_of_squared_errors_is_twice_the_square_of_the_jacobian(penalty: str, tmp_path: Path) -> None:
    """(2/N)·JᵀJ; a weight penalty is no part of it."""
    net = MLP.format(out=2, last="")
    with trained(tmp_path, net, "values", f"F.mse_loss(net(a), b){penalty}") as (client, data, _):
        draw(client, "v")
        x = data[0].double()
        flat, v = vector(client, "at", tmp_path), vector(client, "v", tmp_path)
        jacobian = torch.autograd.functional.jacobian(lambda w: forward(w, x, 2).flatten(), flat)
        wanted = 2 / len(jacobian) * jacobian.T @ (jacobian @ v)
        assert off(product(client, tmp_path, "gauss-newton"), wanted) < 1e-5
        assert off(product(client, tmp_path, "gauss-newton", "finite-difference"), wanted) < 1e-2
        assert off(product(client, tmp_path, "hessian"), wanted) > 1e-2


def test_gauss_newton_of_a_classifier_is_explicit_and_positive(tmp_path: Path) -> None:
    with trained(tmp_path, MLP.format(out=3, last=""), "classes", "F.cross_entropy(net(a), b)") as (client, data, _):
        draw(client, "v")
        x = data[0].double()
        flat, v = vector(client, "at", tmp_path), vector(client, "v", tmp_path)
        jacobian = torch.autograd.functional.jacobian(lambda w: forward(w, x, 3), flat)
        p = forward(flat, x, 3).softmax(1)
        curvature = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
        wanted = torch.einsum("nkp,nkl,nlq,q->p", jacobian, curvature, jacobian, v) / len(x)
        found = product(client, tmp_path, "gauss-newton")
        assert off(found, wanted) < 1e-5
        assert found @ v > 0
        # The mean over ranges of batches is the whole.
        sizes = [16, 16, 13]
        parts = []
        for b, size in enumerate(sizes):
            where = {**how(), "data": {"split": "train", "batches": [b, b + 1], "samples": 1}}
            client.call("hvp", at="at", vector="v", into="mv", how=where, method="exact", matrix="gauss-newton")
            parts.append(vector(client, "mv", tmp_path) * size / sum(sizes))
        assert off(torch.stack(parts).sum(0), wanted) < 1e-5
        assert off(parts[0] * sum(sizes) / sizes[0], wanted) > 1e-2  # one of them alone is not


def test_gauss_newton_goes_through_convolution_batch_norm_and_dropout(tmp_path: Path) -> None:
    net = (
        "net = nn.Sequential(nn.Unflatten(1, (1, D)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.3),"
        " nn.Flatten(), nn.Linear(4 * (D - 2), K))"
    )
    with trained(tmp_path, net, "classes", "F.cross_entropy(net(a), b)") as (client, _, _):
        draw(client, "v")
        v = vector(client, "v", tmp_path)
        for mode in ("as-trained", "inference"):
            exact = product(client, tmp_path, "gauss-newton", mode=mode)
            assert off(product(client, tmp_path, "gauss-newton", "finite-difference", mode=mode), exact) < 1e-2
            assert exact @ v > 0
        refreshed = product(client, tmp_path, "gauss-newton", mode="inference", refresh=True)
        assert off(refreshed, exact) > 1e-3


def test_gauss_newton_is_refused_where_there_are_no_predictions(tmp_path: Path) -> None:
    net = """
class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(D, K)
    def forward(self, a, b):
        return F.cross_entropy(self.inner(a), b)
net = Whole()
"""
    with trained(tmp_path, net, "classes", "net(a, b)") as (client, _, _):
        draw(client, "v")
        with pytest.raises(WireError, match="no Gauss–Newton matrix") as error:
            product(client, tmp_path, "gauss-newton")
        assert error.value.code == "unsupported"
        with pytest.raises(WireError) as error:
            product(client, tmp_path, "fisher")
        assert error.value.code == "bad-input"
        told = client.call("samples", members=["at"], how=how(), inputGradient=True)
        assert told["margin"] is None and "told apart" in told["reason"]
        assert len(told["loss"]) == 45  # each sample alone


def margins(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    mine = F.one_hot(y, z.shape[1]).bool()
    return z[mine] - z.masked_fill(mine, -torch.inf).amax(1)


@pytest.mark.parametrize("form", ["logits", "log-probabilities", "by hand"])
def test_samples_of_a_classifier(form: str, tmp_path: Path) -> None:
    last = ", nn.LogSoftmax(1)" if form == "log-probabilities" else ""
    loss = {
        "logits": "F.cross_entropy(net(a), b)",
        "log-probabilities": "F.nll_loss(net(a), b)",
        "by hand": "F.cross_entropy(net(a), b) + 0.01 * net[0].weight.pow(2).sum()",
    }[form]
    with trained(tmp_path, MLP.format(out=3, last=last), "classes", loss) as (client, data, _):
        x, y = data[0].double().requires_grad_(), data[1]
        flat = vector(client, "at", tmp_path)
        z = forward(flat, x, 3)
        found = client.call("samples", members=["at"], how=how(), inputGradient=True)
        assert found["reason"] is None
        single = F.cross_entropy(z, y, reduction="none")
        if form == "by hand":
            single = single + 0.01 * flat[:30].pow(2).sum()
        assert torch.allclose(torch.tensor(found["loss"]).double(), single.detach(), rtol=1e-5, atol=1e-6)
        m = margins(z, y)
        assert torch.allclose(torch.tensor(found["margin"]).double(), m.detach(), rtol=1e-4, atol=1e-5)
        p = z.softmax(1).amax(1).detach()
        assert torch.allclose(torch.tensor(found["confidence"]).double(), p, rtol=1e-5)
        assert found["correct"] == (m > 0).long().tolist()
        slope = torch.autograd.grad(m.sum(), x)[0].norm(dim=1)
        assert torch.allclose(torch.tensor(found["inputGradientNorm"]).double(), slope, rtol=1e-4, atol=1e-6)
        score = client.call("score", members=["at"], how=how())
        assert sum(found["loss"]) / 45 == pytest.approx(score["loss"], rel=1e-5)
        assert sum(found["correct"]) / 45 == pytest.approx(score["accuracy"])
        part = {**how(), "data": {"split": "train", "batches": [1, 3]}}
        assert client.call("samples", members=["at"], how=part, inputGradient=False)["margin"] == pytest.approx(
            found["margin"][16:], rel=1e-5
        )
        for wrong in ([0, 4], [1, 1], [-1, 1], [0.5, 2], 3):
            with pytest.raises(WireError) as error:
                client.call("gradient", at="at", into="g", how={**how(), "data": {"split": "train", "batches": wrong}})
            assert error.value.code == "bad-input"


@pytest.mark.parametrize("form", ["logits", "probabilities"])
def test_samples_of_a_binary_classifier_and_its_ensemble(form: str, tmp_path: Path) -> None:
    last = "" if form == "logits" else ", nn.Sigmoid()"
    loss = "F.binary_cross_entropy_with_logits(net(a), b)" if form == "logits" else "nn.BCELoss()(net(a), b)"
    with trained(tmp_path, MLP.format(out=1, last=last), "yes[:, None]", loss) as (client, data, _):
        x, y = data[0].double().requires_grad_(), data[2].double()
        client.call("combine", into="other", terms=[{"coefficient": -1.5, "vector": "at"}], state="at")
        z = [forward(vector(client, name, tmp_path), x, 1)[:, 0] for name in ("at", "other")]
        sign = 2 * y - 1
        found = client.call("samples", members=["at"], how=how(), inputGradient=True)
        assert torch.allclose(torch.tensor(found["margin"]).double(), (sign * z[0]).detach(), rtol=1e-4, atol=1e-5)
        slope = torch.autograd.grad((sign * z[0]).sum(), x)[0].norm(dim=1)
        assert torch.allclose(torch.tensor(found["inputGradientNorm"]).double(), slope, rtol=1e-3)
        p = (z[0].sigmoid() + z[1].sigmoid()).detach() / 2
        both = client.call("samples", members=["at", "other"], how=how(), inputGradient=True)
        mine = torch.where(y > 0, p, 1 - p)
        assert torch.allclose(torch.tensor(both["loss"]).double(), -mine.log(), rtol=1e-4)
        assert torch.allclose(torch.tensor(both["margin"]).double(), (mine / (1 - mine)).log(), rtol=1e-3, atol=1e-4)
        assert torch.allclose(torch.tensor(both["confidence"]).double(), torch.maximum(p, 1 - p), rtol=1e-4)
        assert both["inputGradientNorm"] is None and "ensemble" in both["reason"]


def test_samples_say_why_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with trained(tmp_path / "a", MLP.format(out=2, last=""), "values", "F.mse_loss(net(a), b)") as (client, _, _):
        found = client.call("samples", members=["at"], how=how(), inputGradient=True)
        assert len(found["loss"]) == 45
        assert [found[k] for k in ("margin", "confidence", "correct", "inputGradientNorm")] == [None] * 4
        assert "no classes" in found["reason"]
    net = "net = nn.Sequential(nn.Linear(D, 6), nn.BatchNorm1d(6), nn.Linear(6, K))"
    with trained(tmp_path / "b", net, "classes", "F.cross_entropy(net(a), b)") as (client, _, _):
        found = client.call("samples", members=["at"], how=how(), inputGradient=True)
        assert found["inputGradientNorm"] is None and "Batch norm mixes" in found["reason"]
        assert len(found["margin"]) == 45
        found = client.call("samples", members=["at"], how=how(mode="inference"), inputGradient=True)
        assert len(found["inputGradientNorm"]) == 45 and found["reason"] is None


def test_samples_of_a_sum_have_no_losses_of_their_own(tmp_path: Path) -> None:
    loss = "F.cross_entropy(net(a), b, reduction='sum')"
    with trained(tmp_path, MLP.format(out=3, last=""), "classes", loss) as (client, _, _):
        found = client.call("samples", members=["at"], how=how(), inputGradient=False)
        assert found["loss"] is None and "not the mean" in found["reason"]
        assert len(found["margin"]) == 45


def test_vectors_by_parameter_and_by_element(tmp_path: Path) -> None:
    with trained(tmp_path, MLP.format(out=3, last=""), "classes", "F.cross_entropy(net(a), b)") as (client, _, _):
        names = [p["name"] for p in client.description["objective"]["parameters"]]
        sizes = [30, 6, 18, 3]
        at = vector(client, "at", tmp_path)
        norm = client.call("restrict", vector="at", into="r", parameters=[names[0], names[3]])["norm"]
        r = vector(client, "r", tmp_path)
        kept = torch.cat([torch.full((s,), float(i in (0, 3))) for i, s in enumerate(sizes)]).double()
        assert torch.equal(r, at * kept) and norm == pytest.approx(float(r.norm()))
        with pytest.raises(WireError) as error:
            client.call("restrict", vector="at", into="r", parameters=["no"])
        assert error.value.code == "bad-input" and names[0] in error.value.data["cure"]

        bound = r.abs()
        wanted = {
            ("product", ("at", "r")): at * r,
            ("quotient", ("at", "r")): kept,
            ("absolute", ("at",)): at.abs(),
            ("root", ("at",)): at.abs().sqrt(),
            ("sign", ("at",)): at.sign(),
            ("add", ("at",)): at + 0.5,
            ("clip", ("at", "r")): torch.minimum(torch.maximum(at, -bound), bound),
        }
        for (function, of), value in wanted.items():
            told = client.call("elementwise", into="e", function=function, of=list(of), constant=0.5)
            assert off(vector(client, "e", tmp_path), value) < 1e-6, function
            # Nothing lies between the parameters.
            assert told["norm"] == pytest.approx(float(value.norm()), rel=1e-6), function
        for function, of, constant in (("product", ["at"], 1), ("root", ["at", "r"], 1), ("add", ["at"], None), ("exp", ["at"], 1)):
            with pytest.raises(WireError) as error:
                client.call("elementwise", into="e", function=function, of=of, constant=constant)
            assert error.value.code == "bad-input"

        for normalisation in ("filter", "layer", "none"):
            for include in ({"bias": False, "norm": False}, {"bias": True, "norm": True}):
                client.call("random", into="w", seed=3, like="at", normalisation=normalisation, include=include)
                draw(client, "d", 3)
                client.call("normalise", vector="d", like="at", normalisation=normalisation, include=include)
                assert off(vector(client, "d", tmp_path), vector(client, "w", tmp_path)) < 1e-6


def test_statistics_of_a_range_of_batches_are_those_of_all(tmp_path: Path) -> None:
    net = "net = nn.Sequential(nn.Linear(D, 6), nn.BatchNorm1d(6), nn.Linear(6, K))"
    with trained(tmp_path, net, "classes", "F.cross_entropy(net(a), b)", scale=3) as (client, _, _):
        where = how(mode="inference", refresh=True)

        def loss(of: dict[str, Any]) -> float:
            return client.call("loss", origin="at", directions=[], coefficients=[[]], how=of)["points"][0]["loss"]

        parts = [loss({**where, "data": {"split": "train", "batches": [b, b + 1]}}) for b in range(3)]
        assert sum(p * n for p, n in zip(parts, (16, 16, 13))) / 45 == pytest.approx(loss(where), rel=1e-5)
        assert client.call("refreshStatistics", vector="at", data={"split": "train", "batches": [1, 3]})["samples"] == 29


@pytest.mark.parametrize(
    "name,optimizer,options",
    [
        ("Adam", torch.optim.Adam, {"betas": (0.9, 0.95)}),
        ("Adam", torch.optim.Adam, {"amsgrad": True}),
        ("AdamW", torch.optim.AdamW, {}),
        ("RMSprop", torch.optim.RMSprop, {"alpha": 0.8}),
        ("RMSprop", torch.optim.RMSprop, {"alpha": 0.8, "centered": True}),
        ("Adagrad", torch.optim.Adagrad, {}),
        ("SGD", torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_second_moments_of_a_held_run(name: str, optimizer: Any, options: dict[str, Any], tmp_path: Path) -> None:
    """The divisor that the optimizer's own next update of the held weights uses."""
    arguments = "".join(f", {k}={v!r}" for k, v in options.items())
    call = f"torch.optim.{name}(net.parameters(), lr=0.01{arguments})"
    script = tmp_path / "script.py"
    parts = [HEAD.format(folder=tmp_path, scale=1), MLP.format(out=3, last=""), "target = classes", f"optimizer = {call}"]
    script.write_text("\n".join(parts) + TAIL.format(loss="F.cross_entropy(net(a), b)"))
    with new_run() as run:
        with asking(run, script, mode="record", holdSeconds=60) as client:
            try:
                import time

                while client.call("status")["state"] != "held":
                    time.sleep(0.05)
                if name == "SGD":
                    with pytest.raises(WireError, match="SGD keeps no second moment") as error:
                        client.call("load", into="s", **{"from": "second-moment"})
                    assert error.value.code == "unsupported"
                    return
                client.call("load", into="s", **{"from": "second-moment"})
                found = vector(client, "s", tmp_path)
            finally:
                client.call("resume")
    # The same training here.
    torch.manual_seed(0)
    scope: dict[str, Any] = {}
    exec(script.read_text(), scope)  # noqa: S102
    net, twin = scope["net"], scope["optimizer"]
    moments = []
    for p in net.parameters():
        state, group = twin.state[p], twin.param_groups[0]
        if name.startswith("Adam"):
            v = state["max_exp_avg_sq"] if options.get("amsgrad") else state["exp_avg_sq"]
            v = v / (1 - group["betas"][1] ** 9)
        elif name == "RMSprop":
            v = state["square_avg"] - (state["grad_avg"] ** 2 if options.get("centered") else 0)
        else:
            v = state["sum"]
        moments.append(v.double().flatten())
    assert off(found, torch.cat(moments)) < 1e-5


def test_second_moments_are_not_those_of_a_relaunched_script(tmp_path: Path) -> None:
    adam = "torch.optim.Adam(net.parameters())"
    with trained(tmp_path, MLP.format(out=3, last=""), "classes", "F.cross_entropy(net(a), b)", adam) as (client, _, _):
        with pytest.raises(WireError) as error:
            client.call("load", into="s", **{"from": "second-moment"})
        assert error.value.code == "unsupported"
