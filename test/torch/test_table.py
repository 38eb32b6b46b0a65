"""Every kind of script: trained as without Basin, and replayed exactly, also in a process that was started again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import PROBE, SCRIPTS, asking, environment, how, new_run, record, trouble
from identity import fingerprint, first_difference, plain_environment
from kinds import KINDS, skip_absent
from test_evaluator import tensors

REFUSED = {
    "number_from_loss": "frozen",
    "branch_on_loss": "branch at branch_on_loss.py",
    "step_in_backward": "steps inside of backward()",
    "reentrant_checkpoint": "reentrant activation checkpointing",
    "gradient_by_hand": "did not come from backward()",
    "compiled_step": "inside of a function that torch.compile compiles whole",
}
TOLERANCE = 1e-5


@pytest.mark.parametrize("script", KINDS, ids=lambda p: p.stem)
def test_trains_bit_for_bit_as_without_and_replays_exactly(script: Path) -> None:
    """Recorded at every step and asked between steps at once; then the run is asked in a process started again."""
    skip_absent(script)
    with new_run() as run:
        plain = fingerprint([], script, run.directory, plain_environment())
        env = environment(run, everyStep=True, every=1)
        asked = fingerprint([], script, run.directory, env, ASK=str(len(script.stem)))
        assert trouble(run) == ""
        assert asked["problems"] == []
        assert asked["answered"] or script.stem == "update_by_hand"
        assert first_difference(plain["hashes"], asked["hashes"]) is None
        assert asked["output"] == plain["output"]

        manifest = run.manifest()
        assert manifest["state"] == "finished"
        assert len(manifest["objectives"]) == (2 if script.stem == "gan" else 1)
        for index, objective in enumerate(manifest["objectives"]):
            replay = objective["replay"]
            assert replay["exact"], replay["reason"]
            assert all(check["passed"] == check["checked"] for check in replay["checks"]), replay["checks"]
            assert all(check["checked"] > 0 or check["why"] for check in replay["checks"]), replay["checks"]
            steps = [s for s in run.steps() if s["objective"] == index]
            assert run.snapshots(index) == list(range(len(steps) + 1))
            with asking(run, script, objective=index) as client:
                batches = client.description["train"]["batches"]
                assert batches > 0
                for batch in range(batches):
                    client.call("load", into="a", **{"from": {"file": str(run.snapshot(0, index))}})
                    step = client.call("verify", vector="a", batch=batch)["step"]
                    client.call("load", into="a", **{"from": {"file": str(run.snapshot(step, index))}})
                    found = client.call("verify", vector="a", batch=batch)
                    assert found["recorded"] == pytest.approx(steps[step]["loss"], rel=1e-6)
                    # What is kept in float64 replays to its last digits.
                    tolerance = 1e-14 if script.stem == "double_precision" else TOLERANCE
                    assert found["replayed"] == pytest.approx(found["recorded"], rel=tolerance)
            assert trouble(run) == ""
        if script.stem == "gan":
            # Whoever stepped last has moved after the other's last step.
            first, second = ({bytes(t.numpy()) for t in tensors(run.snapshot(6, i)).values()} for i in range(2))
            assert first == second


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_says_why_it_cannot_be_replayed(name: str) -> None:
    script = SCRIPTS.with_name("scripts-refused") / f"{name}.py"
    import torch

    if name == "step_in_backward" and not hasattr(torch.Tensor, "register_post_accumulate_grad_hook"):
        pytest.skip("this torch has no such hook")
    if name == "compiled_step" and not hasattr(torch, "compile"):
        pytest.skip("this script does not run before torch 2.0")
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        replay = run.manifest()["objectives"][0]["replay"]
        assert not replay["exact"]
        assert REFUSED[name] in replay["reason"]
        assert "watch(model, loss, loader)" in replay["cure"]
        assert trouble(run) == ""
        # A loss that no backward pass was seen of is not known, which is no NaN.
        known = name != "gradient_by_hand"
        assert all(isinstance(step["loss"], float) == known for step in run.steps())
        assert known or [step["loss"] for step in run.steps()] == [None] * 6
        assert all("nonFinite" not in step for step in run.steps())


def test_the_loss_of_a_step_inside_of_backward_is_that_backward_passs() -> None:
    import torch

    if not hasattr(torch.Tensor, "register_post_accumulate_grad_hook"):
        pytest.skip("this torch has no such hook")
    script = SCRIPTS.with_name("scripts-refused") / "step_in_backward.py"
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True)
    printed = [float(line) for line in plain.stdout.split()]
    with new_run() as run:
        record(run, script)
        for index in range(2):
            losses = [step["loss"] for step in run.steps() if step["objective"] == index]
            assert losses == pytest.approx(printed, rel=1e-6)


def test_leaves_a_sharded_model_alone_and_says_so() -> None:
    script = SCRIPTS.with_name("scripts-refused") / "sharded_model.py"
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    if plain.returncode != 0:
        pytest.skip("this torch shards nothing on the CPU")
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        assert done.stdout == plain.stdout
        assert json.loads((run.directory / "python.json").read_text())["sharding"] == "FSDP"
        assert not (run.directory / "claim").exists()


@pytest.mark.parametrize("rows", ["32", "2000"])
def test_the_sentence_names_the_number(rows: str) -> None:
    """Also where one batch has all the samples that are gathered."""
    with new_run() as run:
        record(run, SCRIPTS.with_name("scripts-refused") / "number_from_loss.py", rows)
        reason = run.manifest()["objectives"][0]["replay"]["reason"]
        assert "number_from_loss.py:14" in reason and "number_from_loss.py:13" in reason


def test_an_optimizer_that_comes_later_is_taped_from_its_first_step_on() -> None:
    with new_run() as run:
        record(run, SCRIPTS.with_name("scripts-planted") / "phases.py")
        for objective in run.manifest()["objectives"]:
            assert objective["replay"]["exact"] and objective["replay"]["checked"] == 4, objective["replay"]


def test_where_processes_average_gradients_each_is_held_against_its_own() -> None:
    script = SCRIPTS.with_name("scripts-planted") / "two_processes.py"
    plain = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True)
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0, done.stderr
        assert done.stdout == plain.stdout
        assert trouble(run) == ""
        manifest = run.manifest()
        replay = manifest["objectives"][0]["replay"]
        assert replay["exact"] and [check["passed"] for check in replay["checks"]] == [4, 4, 3], replay
        assert all(check["worstRelativeError"] <= 1e-6 for check in replay["checks"]), replay
        assert any("samples of this one" in note for note in manifest["recording"]["notes"])


def test_complex_weights_are_refused_by_their_shape() -> None:
    script = SCRIPTS.with_name("scripts-refused") / "complex_weights.py"
    with new_run() as run:
        done = record(run, script)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        assert json.loads((run.directory / "python.json").read_text())["complex"] == "[4, 6]"
        assert not (run.directory / "claim").exists()


def test_the_probe_is_importable_without_basin() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(PROBE)!r}); import basin_probe; basin_probe.watch(None, None, [])"]
    )
    assert done.returncode == 0


def test_modes_and_held_out_data() -> None:
    script = SCRIPTS / "conv_batch_norm_dropout.py"
    with new_run() as run:
        record(run, script)
        with asking(run, script) as client:
            d = client.description
            assert d["modes"] == ["inference", "as-trained"] and d["hasStatistics"] and d["predictions"]
            assert d["validation"]["samples"] == 64
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(run.snapshots()[-1]))}})
            score = client.call("score", members=["a"], how=how("inference", "validation"))
            assert 0 <= score["accuracy"] <= 1 and score["samples"] == 64
            pair = client.call("score", members=["a", "a"], how=how("inference", "validation"))
            assert pair["loss"] == pytest.approx(score["loss"], rel=1e-6)
            assert pair["accuracy"] == score["accuracy"]
    script = SCRIPTS / "cross_entropy_module.py"
    with new_run() as run:
        record(run, script)
        assert run.manifest()["evaluationSet"]["validation"]["samples"] == 128


def test_a_watched_loss_is_asked_instead() -> None:
    script = SCRIPTS.with_name("scripts-watched") / "named_loss.py"
    with new_run() as run:
        record(run, script)
        assert run.manifest()["objectives"][0]["replay"]["exact"]
        with asking(run, script) as client:
            assert client.description["train"] == {"samples": 256, "batches": 4}
            client.call("load", into="a", **{"from": {"file": str(run.snapshot(0))}})
            found = client.call("verify", vector="a", batch=0)
            assert found["replayed"] == pytest.approx(found["recorded"], rel=TOLERANCE)
            assert client.call("score", members=["a"], how=how("inference"))["accuracy"] is not None


def test_the_readme_lists_every_kind() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    folders = ("scripts", "scripts-libraries", "scripts-refused", "scripts-watched")
    names = [p.stem for folder in folders for p in SCRIPTS.with_name(folder).glob("*.py")]
    assert [n for n in names if f"| `{n}` |" not in readme] == []
