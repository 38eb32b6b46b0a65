"""
What makes the points of a plane cheaper gives what each point gives by itself: several points in one pass, first layers
computed once, convolutions with channels last. Where they cannot serve they are left alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
import torch
from harness import SCRIPTS, Client, asking, how, new_run, record, trouble

pytestmark = pytest.mark.skipif(not hasattr(torch, "func"), reason="torch.func begins with torch 2.0")
ALL = {"bias": True, "norm": True}


def plane(client: Client, last: Path, points: list[list[float]], **kind: Any) -> list[dict[str, Any]]:
    client.call("load", into="a", **{"from": {"file": str(last)}})
    for i, name in enumerate(("d", "e")):
        client.call("random", into=name, seed=i, like="a", normalisation="filter", include=ALL)
    return client.call("loss", origin="a", directions=["d", "e"], coefficients=points, how=how(**kind))["points"]


def alone(client: Client, point: list[float], **kind: Any) -> dict[str, Any]:
    """The same point as a vector of its own, without a plane."""
    terms = [{"coefficient": c, "vector": v} for c, v in zip([1.0, *point], ("a", "d", "e"))]
    client.call("combine", into="x", terms=terms, state="a")
    return client.call("loss", origin="x", directions=[], coefficients=[[]], how=how(**kind))["points"][0]


GRID = [[0.3 * x, 0.2 * y] for x in range(-3, 4) for y in range(-3, 4)]


#: Runs the script with several points at a time wherever they agree, faster or not, and notes how many.
FORCED = """
import runpy
import torch
from basin_probe import feeds, first_layers, several_points
several_points._WORTH = first_layers._WORTH = float("inf")
choose = first_layers.FirstLayers._choose
def chosen(self, *args):
    layers = choose(self, *args)
    with open({layers!r}, "a") as file:
        print(len(layers), file=file)
    return layers
first_layers.FirstLayers._choose = chosen
timed = feeds.Feeds._timed
feeds.Feeds._timed = lambda self, cut: (timed(self, cut)[0], float(cut.channels_last != {channels_last!r}))
measure = several_points.SeveralPoints._measure
def noted(self, *args):
    count = measure(self, *args)
    with open({counts!r}, "a") as file:
        print(count, file=file)
    return count
several_points.SeveralPoints._measure = noted
runpy.run_path({script!r}, run_name="__main__")
"""


@pytest.mark.parametrize(
    ("kind", "expected", "layers"),
    [
        ("cross_entropy_module", 64, 1),
        ("conv_batch_norm_dropout", 64, 1),
        ("siamese", 64, 0),  # its first layer is called twice
        ("penalties", 1, 1),  # the loss reads parameters by itself
        ("lstm_truncated", 1, 0),  # cuDNN-style flat weights hide the parameters from vmap
        ("raw_tensors", None, None),  # no modules, and so no inference mode
        ("compiled_module", None, None),
        ("spectral_norm", None, 0),  # a weight that is computed
        ("vae", None, None),
        ("momentum_encoder", None, None),  # its passes write state in inference mode too
    ],
)
def test_points_together_are_points_alone(
    kind: str, expected: Optional[int], layers: Optional[int], tmp_path: Path
) -> None:
    counts, found = tmp_path / "counts", tmp_path / "layers"
    script = tmp_path / "forced.py"
    script.write_text(
        FORCED.format(counts=str(counts), layers=str(found), channels_last=False, script=str(SCRIPTS / f"{kind}.py"))
    )
    with new_run() as run:
        record(run, script)
        last = run.snapshot(run.snapshots()[-1])
        with asking(run, script) as client:
            mode = client.description["modes"][0]
            together = plane(client, last, GRID, mode=mode)
            one_by_one = [alone(client, point, mode=mode) for point in GRID]
    for a, b in zip(together, one_by_one):
        assert a["loss"] == pytest.approx(b["loss"], rel=3e-6)
        assert (a["samples"], a["standardErrorFrom"]) == (b["samples"], b["standardErrorFrom"])
        if b["standardError"] is not None:
            assert a["standardError"] == pytest.approx(b["standardError"], rel=1e-4)
    if expected is not None:
        assert [int(line) for line in counts.read_text().split()] == [expected]
    if layers is not None:
        assert [int(line) for line in found.read_text().split()] == [layers]


#: A convolutional net of two kinds of head: one flattens, the other takes a view that only one order of axes allows.
CONVOLUTIONS = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU())
        self.head = nn.Linear(6 * 16, 4)
    def forward(self, x):
        x = self.body(x)
        return self.head({flat})
torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(8):
    x, y = torch.randn(32, 3, 8, 8), torch.randint(0, 4, (32,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
"""


@pytest.mark.parametrize("flat", ["x.flatten(1)", "x.view(-1, 96)"])
def test_convolutions_with_channels_last(flat: str, tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(CONVOLUTIONS.format(flat=flat))
    script = tmp_path / "forced.py"
    script.write_text(
        FORCED.format(counts=str(tmp_path / "n"), layers=str(tmp_path / "l"), channels_last=True, script=str(net))
    )
    with new_run() as run:
        record(run, script)
        assert trouble(run) == ""
        last = run.snapshot(run.snapshots()[-1])
        with asking(run, script) as client:
            together = plane(client, last, GRID, mode="inference")
            recorded = client.call("verify", vector="a", batch=0)
            # A batch by itself is evaluated as it was recorded.
            kind = {"data": {"split": "train", "batches": [0, 8]}, "mode": "inference", "refresh": False}
            points = client.call("loss", origin="a", directions=["d", "e"], coefficients=GRID, how=kind)["points"]
            again = client.call("verify", vector="a", batch=0)
    assert [p["loss"] for p in together] == pytest.approx([p["loss"] for p in points], rel=3e-6)
    assert again == recorded
