"""What a script evaluates without gradient is validation data only where it does not train on it."""

from __future__ import annotations

import pytest
from harness import SCRIPTS, asking, how, new_run, record, trouble

SCRIPT = SCRIPTS.with_name("scripts-planted") / "evaluates.py"


@pytest.mark.parametrize("by", ["loaders", "samplers", "loaders made anew", "hand"])
@pytest.mark.parametrize("what", ["held-out", "both", "held-out at the end"])
def test_held_out_samples_are_found_among_others(by: str, what: str) -> None:
    with new_run() as run:
        done = record(run, SCRIPT, by, what)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        found = run.manifest()["evaluationSet"]["validation"]
        assert found["samples"] == 500 and "alsoTraining" not in found, found
        # A look at the data is no epoch of them.
        assert run.steps()[-1]["epoch"] == (2 if by in ("loaders", "samplers") else None)


@pytest.mark.parametrize("by", ["loaders", "samplers", "loaders made anew", "hand"])
def test_training_samples_are_no_validation_data(by: str) -> None:
    with new_run() as run:
        done = record(run, SCRIPT, by, "trained")
        assert done.returncode == 0, done.stderr
        manifest = run.manifest()
        assert manifest["evaluationSet"]["validation"] is None
        assert not (run.directory / "data" / "validation.safetensors").exists()
        assert any("samples that it trains on" in note for note in manifest["recording"]["notes"])


def test_some_training_samples_among_many_others_are_told() -> None:
    with new_run() as run:
        record(run, SCRIPT, "hand", "a few trained")
        found = run.manifest()["evaluationSet"]["validation"]
        assert found["samples"] == 500
        assert found["alsoTraining"] == 20
        assert "20 of them training samples as well" in found["source"]
        with asking(run, SCRIPT, "hand", "a few trained") as client:
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(0))}})
            assert client.call("score", members=["a"], how=how("as-trained", "validation"))["samples"] == 500
