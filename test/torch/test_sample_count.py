"""Samples are those that the loss is over, whatever shape the data have; where they cannot be counted, batches are."""

from __future__ import annotations

import pytest
from harness import SCRIPTS, asking, how, new_run, record, trouble

SCRIPT = SCRIPTS.with_name("scripts-planted") / "shapes.py"
SHAPES = [
    "rows", "penalty", "tokens", "one graph", "graphs", "loaded graphs", "packed", "state", "square state", "value", "equation",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_counts_what_the_loss_is_over(shape: str) -> None:
    with new_run() as run:
        done = record(run, SCRIPT, shape)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        each = [int(line) for line in done.stdout.split()]
        manifest = run.manifest()
        assert manifest["objectives"][0]["replay"]["exact"], manifest["objectives"][0]["replay"]["reason"]
        steps = run.steps()
        counted = each[0] > 0
        assert [s["samples"] for s in steps] == (each if counted else [None] * 6)
        kept = manifest["evaluationSet"]["train"]
        # The same graph comes at every step: it is kept once.
        batches = 1 if shape == "one graph" else 6
        assert kept["batches"] == batches
        assert kept["samples"] == (each[0] if counted else 1) * batches
        assert ("samples" in kept["source"]) == counted, kept["source"]
        with asking(run, SCRIPT, shape) as client:
            size = client.description["train"]
            assert size == {"samples": kept["samples"], "batches": batches, **({} if counted else {"unit": "batches"})}
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(0))}})
            score = client.call("score", members=["a"], how=how("as-trained"))
            assert score["samples"] == kept["samples"]
            losses = [client.call("verify", vector="a", batch=b)["replayed"] for b in range(batches)]
            assert score["loss"] == pytest.approx(sum(losses) / batches, rel=1e-5)
            # Sample by sample and in other cuts the loss is what it is.
            values = client.call("samples", members=["a"], how=how("as-trained"), inputGradient=False)
            if values["loss"] is not None:
                assert len(values["loss"]) == kept["samples"]
                assert sum(values["loss"]) / len(values["loss"]) == pytest.approx(score["loss"], rel=1e-5)
