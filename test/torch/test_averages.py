"""Averages of models beyond plain batch norm, against ``torch.optim.swa_utils`` on the same snapshots and data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from harness import asking, new_run, record
from test_evaluator import load, tensors
from torch import nn

#: Each defines ``Net``; whatever makes a case odd stands beside a batch norm, so that there are statistics as well.
NETS = {
    "batch-norm": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.batch, self.c = nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Linear(12, 3)
    def forward(self, x):
        return self.c(self.batch(self.a(x)).relu())
""",
    # Means over all batches so far, in place of moving ones.
    "cumulative": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.batch, self.c = nn.Linear(6, 12), nn.BatchNorm1d(12, momentum=None), nn.Linear(12, 3)
    def forward(self, x):
        return self.c(self.batch(self.a(x)).relu())
""",
    "layer-norm": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.layer, self.b = nn.Linear(6, 12), nn.LayerNorm(12), nn.Linear(12, 12)
        self.batch, self.c = nn.BatchNorm1d(12), nn.Linear(12, 3)
    def forward(self, x):
        return self.c(self.batch(self.b(self.layer(self.a(x)).relu())).relu())
""",
    # Dropout after the batch norm: before it, the statistics themselves would be drawn by chance.
    "dropout": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.batch, self.drop, self.c = nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3)
    def forward(self, x):
        return self.c(self.drop(self.batch(self.a(x)).relu()))
""",
    "tied": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.batch, self.back = nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Linear(12, 12)
        self.again, self.c = nn.Linear(12, 12, bias=False), nn.Linear(12, 3)
        self.again.weight = self.back.weight
    def forward(self, x):
        return self.c(self.again(self.back(self.batch(self.a(x)).relu()).relu()))
""",
    # The layer below a batch norm is frozen, and so are one bias and the scale of the batch norm.
    "frozen": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.batch, self.c = nn.Linear(6, 12), nn.Linear(12, 12), nn.BatchNorm1d(12), nn.Linear(12, 3)
        for p in (self.a.weight, self.a.bias, self.b.bias, self.batch.weight):
            p.requires_grad_(False)
    def forward(self, x):
        return self.c(self.batch(self.b(self.a(x).relu())).relu())
""",
    "several-outputs": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.batch = nn.Linear(6, 12), nn.BatchNorm1d(12)
        self.c, self.side = nn.Linear(12, 3), nn.Linear(12, 2)
    def forward(self, x):
        inner = self.batch(self.a(x)).relu()
        return self.c(inner), self.side(inner)
""",
}

SCRIPT = '''
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
{net}
x = torch.randn(96, 6).to(torch.{dtype})
y = x[:, :3].argmax(1)
torch.save(x, r"{folder}/x.pt")
net = Net().to(torch.{dtype})
optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.3)
for epoch in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=24):
        out = net(a)
        loss = nn.functional.cross_entropy(out[0] if isinstance(out, tuple) else out, b)
        if isinstance(out, tuple):
            loss = loss + 0.5 * (out[1] - a[:, 3:5]).pow(2).mean()  # mse_loss has no bfloat16 on the CPU before torch 2.0
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
'''


# Half precision differs in its rounding alone: one model of each is enough beside bfloat16's.
@pytest.mark.parametrize(
    ("kind", "dtype"), [(k, d) for k in NETS for d in ("float32", "bfloat16")] + [(next(iter(NETS)), "float16")]
)
def test_an_average_of_any_model_equals_that_of_swa_utils(kind: str, dtype: str, tmp_path: Path) -> None:
    """
    To 1e-6. Basin sums in float32 whatever the script computes in; in half precision ``AveragedModel`` rounds after every
    member, so there it averages float32 copies of the members, and the checkpoint must be that average rounded once.
    """
    if dtype == "float16" and not hasattr(torch, "compile"):
        pytest.skip("torch before 2.0 multiplies no float16 matrices on the CPU")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(net=NETS[kind], dtype=dtype, folder=tmp_path))
    scope: dict[str, Any] = {"torch": torch, "nn": nn}
    exec(NETS[kind], scope)
    own = getattr(torch, dtype)
    member, net = scope["Net"]().float(), scope["Net"]().to(own)
    averaged = torch.optim.swa_utils.AveragedModel(member)
    with new_run() as run:
        done = record(run, script, every=1)
        assert done.returncode == 0, done.stderr
        steps = run.snapshots()[-5:]
        with asking(run, script) as client:
            for i, step in enumerate(steps):
                load(client, f"m{i}", run.snapshot(step))
                client.call("exportModel", vector=f"m{i}", directory=str(tmp_path / str(i)), format="pt")
            terms = [{"coefficient": 1 / len(steps), "vector": f"m{i}"} for i in range(len(steps))]
            client.call("combine", into="average", terms=terms, state="m0")
            client.call("refreshStatistics", vector="average", data={"split": "train"})
            client.call("save", vector="average", file=str(tmp_path / "average"), metadata={})
            client.call("exportModel", vector="average", directory=str(tmp_path), format="pt")
    members = [torch.load(tmp_path / str(i) / "model.pt") for i in range(len(steps))]
    for state in members:
        net.load_state_dict(state, strict=True)
        member.load_state_dict({name: t.float() for name, t in state.items()}, strict=True)
        averaged.update_parameters(member)
    assert any(not torch.equal(members[0][name], members[-1][name]) for name, _ in member.named_parameters())

    ours, inner = torch.load(tmp_path / "model.pt"), tensors(tmp_path / "average")
    trained = {name for name, p in member.named_parameters() if p.requires_grad}
    assert trained <= set(inner)
    theirs = dict(averaged.module.named_parameters())
    for name, wanted in theirs.items():
        if name in trained:
            assert torch.allclose(inner[name].float(), wanted, atol=1e-6, rtol=1e-6), name
            assert ours[name].dtype == own and torch.equal(ours[name], inner[name].to(own)), name
        else:
            assert torch.equal(ours[name], members[0][name]), name
            assert torch.allclose(ours[name].float(), wanted, atol=1e-6, rtol=1e-6), name
    if kind == "tied":
        assert torch.equal(ours["again.weight"], ours["back.weight"])

    # The statistics of the checkpoint's own weights, in the script's own precision.
    net.load_state_dict(ours, strict=True)
    torch.optim.swa_utils.update_bn(list(torch.load(tmp_path / "x.pt").split(24)), net)
    unit = {"float32": 1e-6, "bfloat16": 2**-7, "float16": 2**-10}[dtype]
    for buffer in ("batch.running_mean", "batch.running_var"):
        assert not torch.equal(ours[buffer], members[0][buffer]), buffer
        assert torch.allclose(ours[buffer].float(), net.state_dict()[buffer].float(), atol=unit, rtol=unit), buffer
    assert torch.equal(ours["batch.num_batches_tracked"], net.state_dict()["batch.num_batches_tracked"])
