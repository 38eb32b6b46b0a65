"""Between two nets with batch norm, neither net's statistics serve: they have to be computed anew."""

from __future__ import annotations

from pathlib import Path

from harness import ROOT, asking, how, new_run, record
from test_evaluator import load

#: Four hidden layers with batch norm on 1200 digits; from one initialisation, the order of the data by the argument.
SCRIPT = """
import sys
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
sys.path.insert(0, r"{sample}")
from digits import load_digits

(x, y), (held_out, answers) = load_digits(7)
x, y, held_out, answers = x[:1200], y[:1200], held_out[:600], answers[:600]
torch.manual_seed(1)
layers, width = [], 784
for _ in range(4):
    layers += [nn.Linear(width, 128), nn.BatchNorm1d(128), nn.ReLU()]
    width = 128
net = nn.Sequential(*layers, nn.Linear(128, 10))
torch.manual_seed(int(sys.argv[1]))
optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
for epoch in range(20):
    net.train()
    for a, b in DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True):
        loss = F.cross_entropy(net(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for a, b in DataLoader(TensorDataset(held_out, answers), batch_size=200):
            F.cross_entropy(net(a), b)
"""


def test_batch_norm_the_midpoint_of_two_nets_needs_statistics_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(sample=ROOT / "media" / "samples" / "digits-torch"))
    with new_run() as run, new_run() as other:
        for each, order in ((run, "11"), (other, "12")):
            done = record(each, script, order)
            assert done.returncode == 0, done.stderr
        with asking(run, script, "11") as client:
            load(client, "a", run.snapshot(run.snapshots()[-1]))
            load(client, "b", other.snapshot(other.snapshots()[-1]))

            def accuracy(vector: str) -> float:
                told = client.call("score", members=[vector], how=how("inference", "validation"))
                assert told["samples"] == 600
                return told["accuracy"]

            halves = [{"coefficient": 0.5, "vector": "a"}, {"coefficient": 0.5, "vector": "b"}]
            found = {"a": accuracy("a"), "b": accuracy("b")}
            for name, state in (("with a's", "a"), ("with b's", "b"), ("averaged", "combine")):
                client.call("combine", into="midpoint", terms=halves, state=state)
                found[name] = accuracy("midpoint")
            client.call("refreshStatistics", vector="midpoint", data={"split": "train"})
            found["anew"] = accuracy("midpoint")
    assert min(found["a"], found["b"]) > 0.8, found
    # The standard error of a difference is at most 0.03 with 600 samples; 0.15 is five of them.
    for name in ("with a's", "with b's", "averaged"):
        assert found[name] < found["anew"] - 0.15, found
