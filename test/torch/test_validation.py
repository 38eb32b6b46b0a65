"""What a script evaluates without gradient is validation data only where it does not train on it."""

from __future__ import annotations

import pytest
from harness import SCRIPTS, asking, new_run, record, trouble
from harness import how as how_to

from basin_probe.safetensors import SafetensorsFile

SCRIPT = SCRIPTS.with_name("scripts-planted") / "evaluates.py"


@pytest.mark.parametrize("by", ["loaders", "samplers", "views", "loaders made anew", "hand"])
@pytest.mark.parametrize("what", ["held-out", "both", "held-out at the end"])
def test_held_out_samples_are_found_among_others(by: str, what: str) -> None:
    with new_run() as run:
        done = record(run, SCRIPT, by, what)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        found = run.manifest()["evaluationSet"]["validation"]
        assert found["samples"] == 500 and "alsoTraining" not in found, found
        # A look at the data is no epoch of them.
        assert run.steps()[-1]["epoch"] == (None if by == "hand" else 2)


@pytest.mark.parametrize("by", ["loaders", "samplers", "views", "loaders made anew", "hand"])
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
            assert client.call("score", members=["a"], how=how_to("as-trained", "validation"))["samples"] == 500


def test_samples_that_differ_in_integers_are_told_apart() -> None:
    with new_run() as run:
        record(run, SCRIPT.with_name("tokens.py"))
        found = run.manifest()["evaluationSet"]
        assert found["train"]["samples"] == 200
        assert found["validation"]["samples"] == 100 and "alsoTraining" not in found["validation"]


@pytest.mark.parametrize("how", ["whole", "batches", "raw", "masked"])
def test_held_out_samples_are_found_where_only_the_gradient_is_off(how: str) -> None:
    """Beside a look at the training samples in the midst of each step."""
    script = SCRIPT.with_name("without_eval.py")
    with new_run() as run:
        done = record(run, script, how, "300")
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        found = run.manifest()
        assert found["objectives"][0]["replay"]["exact"], found["objectives"][0]["replay"]
        validation = found["evaluationSet"]["validation"]
        assert validation is not None, found["recording"]["notes"]
        assert validation["samples"] == 80 and "mayBeTrained" not in validation
        with asking(run, script, how, "300") as client:
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(run.snapshots()[-1]))}})
            score = client.call("score", members=["a"], how=how_to("as-trained", "validation"))
            assert score["loss"] == pytest.approx(float(done.stdout), rel=1e-5)


def test_the_same_calls_with_another_target_are_another_loss() -> None:
    """The critic's look at what is generated is none at the generator's loss, which has ones for a target at every step."""
    script = SCRIPT.with_name("judges_both.py")
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        manifest = run.manifest()
        assert [o["name"] for o in manifest["objectives"]] == ["generator", "critic"]
        assert manifest["evaluationSet"]["validation"]["samples"] == 48, manifest["recording"]["notes"]
        with asking(run, script) as client:
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(run.snapshots()[-1]))}})
            score = client.call("score", members=["a"], how=how_to("inference", "validation"))
            assert score["loss"] == pytest.approx(float(done.stdout), rel=1e-5)


def test_labels_that_happen_to_be_of_one_number_are_no_target_that_the_script_fills() -> None:
    """Also of a pass that is longer than what is kept of it at once."""
    with new_run() as run:
        record(run, SCRIPT.with_name("rare_class.py"))
        assert trouble(run) == ""
        with SafetensorsFile(str(run.directory / "data" / "validation.safetensors")) as file:
            labels = [t for t in map(file.read, file.entries) if tuple(t.shape) == (8, 1)]
        assert 8 * len(labels) == run.manifest()["evaluationSet"]["validation"]["samples"] == 1024
        assert sum(float(t.sum()) for t in labels) == 51  # of the first 1024 rows


def test_where_it_cannot_be_told_there_are_none_and_it_is_said() -> None:
    """More training samples than are known: any batch that is looked at may be of the others."""
    with new_run() as run:
        record(run, SCRIPT.with_name("without_eval.py"), "batches", "1500")
        manifest = run.manifest()
        assert manifest["evaluationSet"]["validation"] is None
        assert any("may be data that it trains on" in note for note in manifest["recording"]["notes"])


def test_by_hand_it_is_said_that_later_training_may_have_them() -> None:
    with new_run() as run:
        record(run, SCRIPT, "hand", "held-out")
        found = run.manifest()["evaluationSet"]["validation"]
        assert found["mayBeTrained"] and "may train on as well" in found["source"]
