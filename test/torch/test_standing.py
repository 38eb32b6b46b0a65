"""Training that stands still at a debugger's word, inside of a step and between two; what was looked at changes nothing."""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
import torch
from harness import SCRIPTS, Client, Run, WireError, asking, environment, how, new_run, record, trouble, wait_for
from identity import RUNNER, STEADY, fingerprint, first_difference, plain_environment, steady
from kinds import skip_absent

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src/probe/torch"))
from basin_probe.schedules import is_scheduled  # noqa: E402

GONE = {"whenGone": "continue"}


@contextlib.contextmanager
def training(run: Run, script: Path, *, runner: bool = False, **options: Any) -> Iterator[Client]:
    """A script that stands before its first update, and a client of it; at the end the process is over."""
    first = [str(RUNNER)] if runner else []
    env = {**environment(run, standFirst=True, **options), **steady(run.directory / "result.json")}
    out, errors = open(run.directory / "out", "w+"), open(run.directory / "err", "w+")
    process = STEADY.start([*first, str(script)], env, run.directory, out.fileno(), errors.fileno())
    try:
        endpoint = run.directory / "endpoint.json"
        wait_for(endpoint.exists, process)
        client = Client(json.loads(endpoint.read_text()))
        yield client
        client.close()
        assert process.wait(60) == 0, Path(errors.name).read_text()
        run.output = Path(out.name).read_text()  # type: ignore[attr-defined]
    finally:
        out.close()
        errors.close()
        if process.poll() is None:
            process.kill()
            process.wait()


def go(client: Client, place: str = "boundary", step: int | None = None, norms: bool = False, **target: Any) -> dict:
    if step is not None:
        target["step"] = step
    return client.call("proceed", target={"place": place, **target}, norms=norms, **GONE)


def distance(client: Client, a: str, b: str) -> float:
    terms = [{"coefficient": 1, "vector": a}, {"coefficient": -1, "vector": b}]
    return client.call("combine", into="difference", terms=terms, state=None)["norm"]


def load(client: Client, into: str, source: Any = "current") -> float:
    return client.call("load", into=into, **{"from": source})["norm"]


def test_steps_and_shows_the_gradient_before_it_is_applied() -> None:
    with new_run() as run, training(run, SCRIPTS / "cross_entropy_module.py") as client:
        entry = client.call("pause", **GONE)
        assert (entry["reason"], entry["place"], entry["step"]) == ("entry", "gradient", 0)
        assert entry["values"]["learningRate"] == 0.1
        load(client, "before")
        norm = load(client, "g", "gradient")
        assert norm == pytest.approx(entry["values"]["gradientNorm"], rel=1e-5)
        parts = client.call("statistics", vector="g")["parameters"]
        names = [p["name"] for p in client.description["objective"]["parameters"]]
        assert len(parts) == len(names)
        assert math.hypot(*(p["norm"] for p in parts)) == pytest.approx(norm, rel=1e-5)
        assert all(p["nonFinite"] == 0 for p in parts)
        with pytest.raises(WireError) as refused:
            client.call("assign", vector="before")
        assert refused.value.code == "not-allowed"

        boundary = go(client, step=1)
        assert (boundary["reason"], boundary["place"], boundary["step"]) == ("steps", "boundary", 1)
        assert boundary["values"]["step"] == 0 and boundary["values"]["loss"] == entry["values"]["loss"]
        load(client, "after")
        # The first step of momentum is plain gradient descent.
        terms = [{"coefficient": 1, "vector": "before"}, {"coefficient": -0.1, "vector": "g"}]
        client.call("combine", into="expected", terms=terms, state=None)
        assert distance(client, "after", "expected") < 1e-6 * norm
        with pytest.raises(WireError):
            load(client, "g", "gradient")

        go(client, step=3, norms=True)
        inside = go(client, "gradient", step=3, norms=True)
        assert inside["values"]["step"] == 3
        assert inside["values"]["gradientNorm"] > 0 and inside["values"]["updateNorm"] > 0
        epoch = go(client, "gradient", epoch=True)
        assert (epoch["reason"], epoch["step"], epoch["values"]["epoch"]) == ("epoch", 8, 1)

        other = Client(json.loads((run.directory / "endpoint.json").read_text()))
        with pytest.raises(WireError) as busy:
            other.call("pause", **GONE)
        assert busy.value.code == "busy"
        other.close()

        assert client.call("snapshot")["step"] == 8
        load(client, "kept", {"file": str(run.snapshot(8))})
        load(client, "now")
        assert distance(client, "kept", "now") == 0
        wait_for(lambda: run.manifest()["state"] == "paused")
        client.call("detach")
        wait_for(lambda: run.manifest()["state"] == "finished")
        assert trouble(run) == ""


#: Adam over batch norm; the data of step 3 are infinite.
SPOILT = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
for step in range(6):
    x = torch.randn(32, 4)
    if step == 3:
        x[0, 0] = float("inf")
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), torch.randint(2, (32,))).backward()
    optimizer.step()
    scheduler.step(1.0)
assert all(torch.isfinite(s["exp_avg_sq"]).all() for s in optimizer.state.values())
"""


def test_undoes_an_update_from_inside_of_its_step_and_says_what_the_loss_had_spoilt(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SPOILT)
    with new_run() as run, training(run, script) as client:
        client.call("pause", **GONE)
        go(client, "gradient", step=3)
        load(client, "third")
        moments = "the optimizer's state"
        kept = client.call("checkpoint", name="inside")
        assert moments in kept["restored"] and "moving statistics that are finite" in " ".join(kept["notRestored"])
        assert kept["notRestored"][-1] == "the position of the learning-rate schedule"
        go(client, step=4)
        load(client, "fourth")
        assert sum(p["nonFinite"] for p in client.call("statistics", vector="fourth")["parameters"]) > 0
        client.call("rewind", name="inside")
        load(client, "now")
        assert distance(client, "third", "now") == 0
        # The count has a snapshot of its own, of the weights that were left.
        assert client.call("snapshot", of=3)["step"] == 3
        load(client, "kept", {"file": str(run.snapshot(3))})
        assert distance(client, "third", "kept") == 0
        # The script itself looks at what Adam has kept, at its end.
        client.call("detach")


def test_knows_an_optimizer_that_a_scheduler_moves() -> None:
    weights = [torch.nn.Parameter(torch.ones(2))]
    plain, scheduled = (torch.optim.SGD(weights, lr=0.1) for _ in range(2))
    torch.optim.lr_scheduler.StepLR(scheduled, 5)
    assert [is_scheduled(o) for o in (plain, scheduled)] == [False, True]


def test_goes_back_to_a_checkpoint_with_momentum_and_random_streams() -> None:
    with new_run() as run, training(run, Path(__file__).with_name("scripts-debugged") / "noisy_full_batch.py") as client:
        client.call("pause", **GONE)
        go(client, step=3)
        load(client, "third")
        kept = client.call("checkpoint", name="three")
        assert kept["step"] == 3
        assert {"weights", "the optimizer's state", "the random stream of torch"} <= set(kept["restored"])
        assert kept["notRestored"] == ["the position in the data"], "it has no schedule"
        go(client, step=6)
        load(client, "sixth")
        client.call("rewind", name="three")
        load(client, "now")
        assert distance(client, "now", "third") == 0
        again = go(client, step=9)
        assert again["step"] == 9
        load(client, "now")
        assert distance(client, "now", "sixth") == 0, "three steps on are the same three steps"
        with pytest.raises(WireError):
            client.call("rewind", name="none")
        client.call("assign", vector="third")
        load(client, "now")
        assert distance(client, "now", "third") == 0
        client.call("detach")
        wait_for(lambda: run.manifest()["state"] == "finished")
        assert any("At step 6 the weights were put back to those of step 3" in n for n in run.manifest()["recording"]["notes"])
        assert trouble(run) == ""


def test_stands_until_another_debugger_comes_where_it_was_told_so() -> None:
    with new_run() as run, training(run, SCRIPTS / "cross_entropy_module.py") as client:
        client.call("pause", whenGone="hold")
        endpoint = json.loads((run.directory / "endpoint.json").read_text())
        client.close()
        wait_for(lambda: run.manifest()["state"] == "paused")
        time.sleep(0.3)
        second = Client(endpoint)
        assert second.call("status")["state"] == "paused"
        assert second.call("pause", **GONE)["step"] == 0
        second.send("proceed", {"target": {"place": "boundary", "step": 10**6}, "norms": False, **GONE})
        time.sleep(0.05)
        second.close()
        wait_for(lambda: run.manifest()["state"] == "finished")


def test_tells_who_drives_that_the_script_has_ended() -> None:
    with new_run() as run, training(run, SCRIPTS / "cross_entropy_module.py", holdSeconds=60) as client:
        client.call("pause", **GONE)
        last = go(client)
        assert (last["reason"], last["step"], last["values"]["step"]) == ("ended", 16, 15)
        assert client.call("status")["state"] == "held"
        client.call("resume")


def test_a_frozen_process_is_not_driven() -> None:
    script = SCRIPTS / "cross_entropy_module.py"
    with new_run() as run:
        record(run, script)
        with asking(run, script) as client:
            with pytest.raises(WireError) as refused:
                client.call("pause", **GONE)
            assert refused.value.code == "unsupported"


KINDS = [
    "cross_entropy_module", "conv_batch_norm_dropout", "loader_workers", "lstm_truncated", "autocast", "raw_tensors",
    "update_by_hand", "gan", "lbfgs", "accumulation", "vae", "sam",
]  # fmt: skip


def stand_and_ask(client: Client, draw: random.Random, most: int = 20) -> tuple[int, dict]:
    """Stops at random places, with analyses at each. How many there were, and where it stands then."""
    standing = client.call("pause", **GONE)
    stops = 0
    while stops < most and standing["reason"] != "ended":
        stops += 1
        load(client, "w")
        if standing["place"] == "gradient":
            load(client, "g", "gradient")
        client.call("gradient", at="w", into="h", how=how())
        client.call("hvp", at="w", vector="h", into="hv", how=how(), method="auto")
        client.call("loss", origin="w", directions=["h"], coefficients=[[0.1]], how=how())
        client.call("checkpoint", name="here")
        place = draw.choice(["gradient", "boundary"])
        ahead = draw.choice([1, 2]) - (standing["place"] == "boundary" and place == "gradient")
        standing = go(client, place, step=standing["step"] + ahead, norms=stops % 2 == 0)
    return stops, standing


@pytest.mark.parametrize("name", KINDS)
def test_training_is_bit_for_bit_as_without_stops_and_questions(name: str) -> None:
    script = SCRIPTS / f"{name}.py"
    skip_absent(script)
    with new_run() as run:
        plain = fingerprint([], script, run.directory, plain_environment())
    draw = random.Random(name)
    with new_run() as run:
        with training(run, script, runner=True, holdSeconds=60) as client:
            stops, standing = stand_and_ask(client, draw)
            assert stops >= 3  # as many as the script has steps for
            if standing["reason"] != "ended":
                client.call("detach")
                wait_for(lambda: run.manifest()["state"] == "held")
            client.call("resume")
        assert trouble(run) == ""
        stood = json.loads((run.directory / "result.json").read_text())
        assert first_difference(plain["hashes"], stood["hashes"]) is None
        assert run.output == plain["output"][0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", ["a loop", "loader workers", "a module"])
def test_weights_output_and_streams_are_the_same_bits_after_twenty_stops(way: str, tmp_path: Path) -> None:
    """Of an interpreter of its own, as users start one; its output is a hash of all that a step leaves behind."""
    (tmp_path / "package").mkdir()
    copied = Path(shutil.copy(Path(__file__).with_name("scripts-debugged") / "streams.py", tmp_path / "package"))
    words = {"a loop": [str(copied)], "loader workers": [str(copied), "--workers"], "a module": ["-m", "package.streams"]}[way]
    command = [sys.executable, *words]
    plain = subprocess.run(
        command, cwd=tmp_path, env={**plain_environment(), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert len(plain.stdout.splitlines()) == 80, plain.stderr
    with new_run() as run, open(tmp_path / "out", "w+") as out, open(tmp_path / "err", "w+") as errors:
        env = environment(run, standFirst=True)
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=out, stderr=errors)
        try:
            wait_for((run.directory / "endpoint.json").exists, process)
            client = Client(json.loads((run.directory / "endpoint.json").read_text()))
            stops, standing = stand_and_ask(client, random.Random(way))
            assert stops == 20 and standing["reason"] != "ended"
            client.call("detach")
            client.close()
            assert process.wait(60) == 0, (tmp_path / "err").read_text()
        finally:
            if process.poll() is None:
                process.kill()
        assert (tmp_path / "out").read_text() == plain.stdout
        assert trouble(run) == ""
        assert run.manifest()["recording"]["steps"] == 80
