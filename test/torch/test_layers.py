"""What is recorded of each parameter, and where NaN began; the format is that of src/protocol/layerStatistics.ts."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
import torch
from harness import SCRIPTS, WARM, Run, new_run, record
from identity import plain_environment

SCRIPT = SCRIPTS.with_name("scripts-planted") / "planted.py"
FIELDS = ("gradientNorm", "updateNorm", "weightNorm", "alignment", "dead")


def layers(run: Run, objective: int = 0) -> dict[int, list[dict[str, float]]]:
    """By step, the numbers of each parameter."""
    data = (run.directory / ("layers.bin" if objective == 0 else f"layers.{objective}.bin")).read_bytes()
    magic, version, parameters, index, fields = struct.unpack("<IIIII12x", data[:32])
    assert (magic, version, index, fields) == (0x52594C42, 1, objective, len(FIELDS))
    size = 8 + 4 * parameters * fields
    records = {}
    for i in range((len(data) - 32) // size):
        step, *values = struct.unpack(f"<d{parameters * fields}f", data[32 + i * size : 32 + (i + 1) * size])
        records[int(step)] = [dict(zip(FIELDS, values[k * fields :])) for k in range(parameters)]
    return records


def parameters(run: Run, step: int) -> list[torch.Tensor]:
    from basin_probe.safetensors import SafetensorsFile

    with SafetensorsFile(str(run.snapshot(step))) as file:
        return [file.read(p["name"]).double() for p in run.manifest()["objectives"][0]["parameters"]]


def trouble(run: Run) -> str:
    log = run.directory / "probe.log"
    return log.read_text() if log.exists() else ""


def test_each_parameter_has_the_norms_of_its_snapshots() -> None:
    with new_run() as run:
        done = record(run, SCRIPT, "none", "14", every=1, everyStep=True)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        found = layers(run)
        assert list(found) == list(range(14))
        steps = run.steps()
        kernels = [i for i, p in enumerate(run.manifest()["objectives"][0]["parameters"]) if p["role"] == "kernel"]
        for step, record_ in found.items():
            total = math.sqrt(sum(r["gradientNorm"] ** 2 for r in record_))
            assert total == pytest.approx(steps[step]["gradientNorm"], rel=1e-5)
            here, after = parameters(run, step), parameters(run, step + 1)
            before = None if step == 0 else parameters(run, step - 1)
            for i, r in enumerate(record_):
                assert r["weightNorm"] == pytest.approx(float(here[i].norm()), rel=1e-5)
                next_ = after[i] - here[i]
                assert r["gradientNorm"] == pytest.approx(float(next_.norm()) / 0.05, rel=1e-3, abs=1e-5)
                assert math.isnan(r["dead"]) == (i not in kernels)
                if before is None:
                    assert math.isnan(r["updateNorm"]) and math.isnan(r["alignment"])
                    continue
                last = here[i] - before[i]
                assert r["updateNorm"] == pytest.approx(float(last.norm()), rel=1e-4, abs=1e-7)
                if float(last.norm()) > 1e-4 and float(next_.norm()) > 1e-4:  # plain SGD: gradients are differences
                    cosine = float((last * next_).sum() / last.norm() / next_.norm())
                    assert r["alignment"] == pytest.approx(cosine, abs=0.01)
        second = kernels[1]
        assert [found[s][second]["dead"] for s in (6, 7, 13)] == [0, 3, 3]
        assert found[13][kernels[3]]["dead"] == 0


@pytest.mark.parametrize("every_step", [True, False], ids=["read", "usual"])
@pytest.mark.parametrize("fault", ["gradient", "applied", "forward", "data"])
def test_names_the_step_and_the_layer_of_nan(fault: str, every_step: bool) -> None:
    with new_run() as run:
        done = record(run, SCRIPT, fault, "160", everyStep=every_step)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        found = [s for s in run.steps() if "nonFinite" in s]
        assert len(found) == 1, "told once"
        event = found[0]["nonFinite"]
        assert event["began"] == 137
        assert event["first"]["layer"] == event["last"]["layer"] == ("third" if fault in ("gradient", "applied") else "first")
        if fault == "data":
            assert event["what"] == "forward" and event["operation"] == "Addmm" and event["cameIn"]
        elif fault == "forward":
            assert "cameIn" not in event
            assert event["what"] == "forward" and event["operation"] == "Addmm"
        else:
            assert event["first"]["parameter"] == "third.weight" and event["parameters"] == 1
            if every_step:
                assert event["what"] == "gradient"
        assert found[0]["step"] == (138 if event["what"] == "weights" else 137)
        plain = WARM.run([str(SCRIPT), fault, "160"], plain_environment(), run.directory, timeout=120)
        assert done.stdout == plain.stdout


@pytest.mark.parametrize(
    ("spoil", "operation"), [("loss * torch.log(-loss)", "Log"), ("torch.sqrt(-loss) * loss", "Sqrt")]
)
def test_names_the_operation_that_made_nan_of_finite_numbers(tmp_path: Path, spoil: str, operation: str) -> None:
    script = tmp_path / "logged.py"
    script.write_text(
        "import torch\n"
        "from torch import nn\n"
        "torch.manual_seed(1)\n"
        "net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "x, y = torch.randn(16, 4), torch.randint(3, (16,))\n"
        "for step in range(8):\n"
        "    loss = nn.functional.cross_entropy(net(x), y)\n"
        f"    loss = {spoil} if step == 5 else loss\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
    )
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        (step,) = [s for s in run.steps() if "nonFinite" in s]
        assert step["nonFinite"]["operation"] == operation


def test_leaves_a_graph_alone_whose_saved_tensors_are_packed(tmp_path: Path) -> None:
    """Checkpointing lets a saved tensor be read once, and the backward pass has to be the one that does."""
    script = tmp_path / "checkpointed.py"
    script.write_text(
        "import torch\n"
        "from torch import nn\n"
        "from torch.utils.checkpoint import checkpoint\n"
        "torch.manual_seed(1)\n"
        "net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "x = torch.randn(16, 4)\n"
        "for step in range(8):\n"
        "    scale = 3e38 if step == 5 else 1.0\n"
        "    loss = checkpoint(net, x * scale, use_reentrant=False).pow(2).mean()\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "print(loss.item())\n"
    )
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        (step,) = [s for s in run.steps() if "nonFinite" in s]
        assert step["nonFinite"] == {
            "what": "forward", "began": 5, "parameters": 0, "first": None, "last": None, "operation": None
        }  # fmt: skip


def test_a_long_run_stays_within_its_bytes(tmp_path: Path) -> None:
    """The file of a model with many parameters is thinned, and keeps the first record and an even stride."""
    script = tmp_path / "many.py"
    script.write_text(
        "import torch\n"
        "ps = [torch.nn.Parameter(torch.ones(1)) for _ in range(4000)]\n"
        "optimizer = torch.optim.SGD(ps, lr=0.1)\n"
        "for step in range(150):\n"
        "    optimizer.zero_grad()\n"
        "    torch.cat(ps).pow(2).mean().backward()\n"
        "    optimizer.step()\n"
    )
    with new_run() as run:
        done = record(run, script, everyStep=True)
        assert done.returncode == 0, done.stderr
        assert list(layers(run)) == list(range(0, 150, 2))


