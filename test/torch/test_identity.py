"""
Training that is asked every question of the wire is bit for bit as without Basin, under the real launcher, which measures
λ₁ meanwhile. (test_table.py has the same scripts to their own end, recorded at every step.)
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from harness import ROOT, SCRIPTS, environment, new_run, trouble
from identity import fingerprint, first_difference, plain_environment
from kinds import KINDS, skip_absent

from basin_probe import wire

CLI = ROOT / "dist" / "cli.cjs"
#: Those of the debugger, some of which are there to change training: test_standing.py.
STANDING = {"pause", "proceed", "detach", "snapshot", "statistics", "checkpoint", "rewind", "assign", "forget", "branch"}
METHODS = set(wire.METHODS) - STANDING
#: What a loss or an optimizer may not have; every other question has to be answered in every kind of script. Nothing is
#: drawn beside a training that goes on (test_training_data.py).
MAY_BE_REFUSED = {"score", "samples", "predictions", "hvp", "load", "draw"}
#: Scripts whose every question is answered (second moments: by the one that trains with Adam).
ANSWERS_ALL = {
    "cross_entropy_module": {"load", "draw"},
    "conv_batch_norm_dropout": {"load", "draw"},
    "lightning_style": {"draw"},
}
#: Seconds in which the launcher has to have measured λ₁ once.
PATIENCE = "120"


def endless(script: Path, folder: Path) -> Path:
    """The script with a loop that is broken off from outside."""
    text, count = re.subn(r"(for \w+ in range\(|epochs=)\d+\b", r"\g<1>1000000", script.read_text())
    assert count >= 1, "no loop was found"
    copy = folder / script.name
    copy.write_text(text)
    return copy


@pytest.mark.parametrize("script", KINDS, ids=lambda p: p.stem)
def test_asked_everything_while_it_trains(script: Path, tmp_path: Path) -> None:
    """Under the real launcher, which measures λ₁ meanwhile; without it where Basin has not been built."""
    skip_absent(script)
    launched = CLI.exists() and shutil.which("node") is not None
    if os.environ.get("CI") and not launched:
        pytest.fail("Basin has not been built: λ₁ would not be measured")
    longer = endless(script, tmp_path)
    done = tmp_path / "done"
    with new_run() as run:
        if launched:
            command = ["node", str(CLI), "train", "--root", str(tmp_path), "--json", "--"]
            env = {**plain_environment(), "BASIN_PROBE_LOG": str(run.directory / "probe.log"), "LIVE": PATIENCE}
        else:
            command, env = [], environment(run)
        asked = fingerprint(command, longer, tmp_path, env, ASK="7", STOP=str(done))
        assert trouble(run) == ""
    steps = len(asked["hashes"]) - 1
    plain = fingerprint([], longer, tmp_path, plain_environment(), STOP=str(steps))
    assert asked["problems"] == []
    assert first_difference(plain["hashes"], asked["hashes"]) is None
    assert asked["live"] >= 1 or not launched
    answered = {method for method, count in asked["answered"].items() if count > 0}
    may_be_refused = ANSWERS_ALL.get(script.stem, MAY_BE_REFUSED)
    assert METHODS - answered <= may_be_refused
    assert set(asked["refused"]) <= may_be_refused
    assert {"$/cancelRequest", "a client that dies"} <= answered


def test_every_question_is_among_those_that_are_asked() -> None:
    from questions import Asker

    description = {
        "objective": {"parameters": [{"name": "w"}]},
        "modes": ["as-trained"],
        "hasStatistics": False,
        "train": {},
        "validation": None,
    }
    asker = Asker({"runDirectory": "/"}, 1, "")
    asked = {method for method, _ in asker._questions(description)}
    assert METHODS - asked == {"hello", "normalise", "save"}  # these begin every round
    assert all((SCRIPTS / f"{name}.py").exists() for name in ANSWERS_ALL)
