"""Several points in one pass give what the points give one by one, and are left alone where they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
import torch
from harness import SCRIPTS, Client, asking, how, new_run, record

pytestmark = pytest.mark.skipif(not hasattr(torch, "func"), reason="torch.func begins with torch 2.0")
ALL = {"bias": True, "norm": True}


def plane(client: Client, last: Path, points: list[list[float]], **kind: Any) -> list[dict[str, Any]]:
    client.call("load", into="a", **{"from": {"file": str(last)}})
    for i, name in enumerate(("d", "e")):
        client.call("random", into=name, seed=i, like="a", normalisation="filter", include=ALL)
    return client.call("loss", origin="a", directions=["d", "e"], coefficients=points, how=how(**kind))["points"]


GRID = [[0.3 * x, 0.2 * y] for x in range(-3, 4) for y in range(-3, 4)]


#: Runs the script with several points at a time wherever they agree, faster or not, and notes how many.
FORCED = """
import runpy
import torch
from basin_probe import several_points
several_points._WORTH = float("inf")
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
    ("kind", "expected"),
    [
        ("cross_entropy_module", 64),
        ("conv_batch_norm_dropout", 64),
        ("siamese", 64),
        ("penalties", 1),  # the loss reads parameters by itself
        ("lstm_truncated", 1),  # cuDNN-style flat weights hide the parameters from vmap
        ("raw_tensors", None),  # no modules, and so no inference mode
        ("compiled_module", None),
    ],
)
def test_points_together_are_points_alone(kind: str, expected: Optional[int], tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    script = tmp_path / "forced.py"
    script.write_text(FORCED.format(counts=str(counts), script=str(SCRIPTS / f"{kind}.py")))
    with new_run() as run:
        record(run, script)
        last = run.snapshot(run.snapshots()[-1])
        with asking(run, script) as client:
            together = plane(client, last, GRID, mode=client.description["modes"][0])
            alone = [plane(client, last, [point], mode=client.description["modes"][0])[0] for point in GRID]
    for a, b in zip(together, alone):
        assert a["loss"] == pytest.approx(b["loss"], rel=3e-6)
        assert (a["samples"], a["standardErrorFrom"]) == (b["samples"], b["standardErrorFrom"])
        if b["standardError"] is not None:
            assert a["standardError"] == pytest.approx(b["standardError"], rel=1e-4)
    if expected is not None:
        assert [int(line) for line in counts.read_text().split()] == [expected]
