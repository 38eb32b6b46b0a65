"""Scripts that start processes, end in every way, or are asked when they end: nothing is lost, nobody hangs or stays."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, Optional

import pytest
from harness import SCRIPTS, Client, Run, command, environment, how, new_run, record, trouble, wait_for

STEPS = """
import os, signal, subprocess, sys, threading, time, torch
net = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range({steps}):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(2, (8,))).backward()
    optimizer.step()
    {inside}
"""


def script(folder: Path, inside: str = "pass", steps: int = 12, name: str = "script.py") -> Path:
    file = folder / name
    file.write_text(STEPS.format(inside=inside, steps=steps))
    return file


def start(run: Run, file: Path, mode: str = "record", endpoint: str = "endpoint.json") -> subprocess.Popen:
    env = environment(run, mode=mode, endpoint=run.directory / endpoint)
    return subprocess.Popen(command(file), env=env, cwd=run.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def client(run: Run, process: subprocess.Popen, endpoint: str = "endpoint.json") -> Client:
    wait_for((run.directory / endpoint).exists, process)
    while True:
        found = Client(json.loads((run.directory / endpoint).read_text()))
        if found.description["train"] is not None:
            return found
        found.close()


def ask_long(asked: Client) -> None:
    """A question that takes longer than the test."""
    asked.call("load", into="a", **{"from": "current"})
    everything = {"bias": True, "norm": True}
    asked.call("random", into="d", seed=1, like="a", normalisation="none", include=everything)
    points = [[0.001 * i] for i in range(200_000)]
    asked.send("loss", {"origin": "a", "directions": ["d"], "coefficients": points, "how": how("as-trained")})


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"
    except OSError:
        return False


def children_of(pid: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                    yield int(entry.name)
            except OSError:
                pass


LOADER = """
import torch
from torch.utils.data import DataLoader, TensorDataset

class Data(torch.utils.data.Dataset):
    def __len__(self): return 96
    def __getitem__(self, i):
        net = torch.nn.Linear(2, 2)  # a worker may use torch as it likes
        return torch.full((4,), float(i)), i % 2

def main():
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    loader = DataLoader(Data(), 16, shuffle=True, num_workers=2, multiprocessing_context={method!r})
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_loader_are_none_of_the_run(method: str, tmp_path: Path) -> None:
    file = tmp_path / "loads.py"
    file.write_text(LOADER.format(method=method))
    with new_run() as run:
        done = record(run, file)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        manifest = run.manifest()
        assert (manifest["state"], len(manifest["objectives"]), len(run.steps())) == ("finished", 1, 12)
        assert manifest["objectives"][0]["replay"]["exact"]
        # Two epochs of 96 samples: each is in the evaluation set once.
        assert samples(run) == [float(i) for i in range(96)]
        assert "drawn before" not in manifest["evaluationSet"]["train"]["source"]


def samples(run: Run) -> list[float]:
    """What tells the samples of the evaluation set apart, sorted."""
    from basin_probe.safetensors import SafetensorsFile

    found: list[float] = []
    with SafetensorsFile(str(run.directory / "data" / "train.safetensors")) as file:
        for name in file.entries:
            tensor = file.read(name)
            if name.startswith("b") and tensor.is_floating_point() and tensor.dim() == 2:
                found += tensor[:, 0].tolist()
    return sorted(found)


def test_samples_that_a_script_draws_twice_are_told(tmp_path: Path) -> None:
    file = tmp_path / "draws.py"
    file.write_text(
        "import torch\n"
        "torch.manual_seed(0)\n"
        "data = torch.arange(200.0)[:, None] * torch.ones(4)\n"
        "net = torch.nn.Linear(4, 2)\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)\n"
        "for _ in range(12):\n"
        "    i = torch.randint(200, (32,))\n"
        "    optimizer.zero_grad()\n"
        "    torch.nn.functional.cross_entropy(net(data[i]), i % 2).backward()\n"
        "    optimizer.step()\n"
    )
    with new_run() as run:
        record(run, file)
        found = samples(run)
        repeats = len(found) - len(set(found))
        assert repeats > 0
        info = run.manifest()["evaluationSet"]["train"]
        assert info["samples"] == len(found)
        assert f"{repeats} of them drawn before" in info["source"]


def test_validation_data_are_none_of_training(tmp_path: Path) -> None:
    """Recognised by a second loader, and by a pass without gradient through the same loss."""
    from basin_probe.safetensors import SafetensorsFile

    for name, source in (("cross_entropy_module", "second DataLoader"), ("conv_batch_norm_dropout", None)):
        with new_run() as run:
            record(run, SCRIPTS / f"{name}.py")
            rows: dict[str, set] = {}
            for split in ("train", "validation"):
                rows[split] = set()
                with SafetensorsFile(str(run.directory / "data" / f"{split}.safetensors")) as file:
                    for key in file.entries:
                        tensor = file.read(key)
                        if key.startswith(("b", "shared")) and tensor.is_floating_point() and tensor.dim() > 1:
                            rows[split] |= {bytes(row.contiguous().numpy()) for row in tensor}
            assert rows["validation"] and rows["train"]
            assert not rows["validation"] & rows["train"]
            if source is not None:
                assert source in run.manifest()["evaluationSet"]["validation"]["source"]


def test_training_in_a_process_that_the_script_starts(tmp_path: Path) -> None:
    inner = script(tmp_path, name="inner.py")
    outer = tmp_path / "outer.py"
    outer.write_text(f"import subprocess, sys, torch\nsys.exit(subprocess.call([sys.executable, {str(inner)!r}]))\n")
    with new_run() as run:
        done = record(run, outer)
        assert done.returncode == 0, done.stderr
        manifest = run.manifest()
        assert (manifest["state"], len(run.steps())) == ("finished", 12)
        assert manifest["script"].endswith("inner.py")


@pytest.mark.parametrize("how_made", ["os.fork()", "subprocess"])
def test_a_second_process_that_trains_leaves_the_run_alone(how_made: str, tmp_path: Path) -> None:
    inner = script(tmp_path, name="inner.py")
    child = (
        "if step == 3 and os.fork() == 0: [optimizer.step() for _ in range(5)]; os._exit(0)"
        if how_made == "os.fork()"
        else f"if step == 3: subprocess.check_call([sys.executable, {str(inner)!r}])"
    )
    with new_run() as run:
        done = record(run, script(tmp_path, child))
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        assert [s["step"] for s in run.steps()] == list(range(12))
        assert run.manifest()["process"]["pid"] > 0 and run.manifest()["state"] == "finished"


@pytest.mark.parametrize(
    ("inside", "code", "state", "reason"),
    [
        ("if step == 5: sys.exit(3)", 3, "finished", None),
        ("if step == 5: os._exit(4)", 4, "finished", None),
        ("if step == 5: raise ValueError('no more')", 1, "failed", "ValueError: no more"),
        ("if step == 5: raise KeyboardInterrupt", -signal.SIGINT, "interrupted", "Interrupted (Ctrl+C)."),
    ],
)
def test_ends(inside: str, code: int, state: str, reason: str, tmp_path: Path) -> None:
    with new_run() as run:
        assert record(run, script(tmp_path, inside)).returncode in (code, 128 + abs(code))
        assert [s["step"] for s in run.steps()] == list(range(6))
        assert run.snapshots()[-1] == 6
        manifest = run.manifest()
        assert (manifest["state"], manifest["stateReason"]) == (state, reason)
        assert not (run.directory / "endpoint.json").exists()


RAISING = """
import torch

torch.manual_seed(0)
net = torch.nn.Linear(4, 2)

class Raising(torch.optim.SGD):
    fails_at, taken = 3, 0

    def step(self, closure=None):
        self.taken += 1
        if self.taken == 1 + self.fails_at:
            raise ArithmeticError("not this one")
        return super().step(closure)

torch.optim.SGD(net.parameters(), lr=0.1)  # from now on SGD.step has hooks of its own, inside of Raising.step's
optimizer = Raising(net.parameters(), lr=0.1)
for step in range(10):
    optimizer.zero_grad()
    net(torch.randn(8, 4)).square().mean().backward()
    try:
        optimizer.step()
    except ArithmeticError:
        pass
"""


def test_a_step_that_raises_is_none_and_those_behind_it_are_recorded(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(RAISING)
    with new_run() as run:
        done = record(run, file)
        assert done.returncode == 0, done.stderr
        assert trouble(run) == ""
        assert [s["step"] for s in run.steps()] == list(range(9))
        assert run.snapshots()[-1] == 9


def test_killed_while_it_is_asked(tmp_path: Path) -> None:
    """The client learns at once that nobody is there any more; what was recorded stands."""
    with new_run() as run:
        process = start(run, script(tmp_path, "time.sleep(0.002)", 10**6))
        asked = client(run, process)
        ask_long(asked)
        time.sleep(0.2)
        process.kill()
        with pytest.raises((EOFError, ConnectionError)):
            asked.receive()
        process.wait(30)
        text = (run.directory / "steps.jsonl").read_text()
        whole = text[: text.rfind("\n") + 1].splitlines()
        assert [json.loads(line)["step"] for line in whole] == list(range(len(whole)))


def test_interrupted_while_it_is_asked(tmp_path: Path) -> None:
    """Ctrl+C reaches the script in the middle of an answer, with its own weights in place."""
    body = STEPS.format(steps=10**6, inside="time.sleep(0.002)")
    head, loop = body.split("for step in", 1)
    file = tmp_path / "script.py"
    indented = "\n".join("    " + line for line in ("for step in" + loop).splitlines())
    file.write_text(
        f"{head}kept = [p.data_ptr() for p in net.parameters()]\ntry:\n{indented}\n"
        "except KeyboardInterrupt:\n    print('own weights', all(p.data_ptr() in kept for p in net.parameters()), flush=True)\n"
    )
    with new_run() as run:
        process = start(run, file)
        asked = client(run, process)
        ask_long(asked)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert b"own weights True" in output, output
        with contextlib.suppress(EOFError, ConnectionError):
            assert "error" in asked.receive()
        assert trouble(run) == ""
        assert run.manifest()["state"] == "finished"  # the script has caught it


TORN = """
import pathlib, signal, torch

class Net(torch.nn.Linear):
    def forward(self, x):
        # Answers are given at other weights.
        if self.weight.data_ptr() != own and pathlib.Path('asked').exists() and not came:
            {come}
        return super().forward(x)

def spin():
    while signal.getitimer(signal.ITIMER_REAL)[0] > 0: pass

net = Net(4, 2)
own = net.weight.data_ptr()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
came = []

def handle(number, frame):
    came.append(net.weight.data_ptr() == own)
    {handle}

signal.signal(signal.{number}, handle)
torn, step = 0, 0
while step < 12 or not came:
    try:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(2, (8,))).backward()
        optimizer.step()
        step += 1
    except {error}:
        torn += 1
print("torn", torn, "own weights", all(came), "handler", signal.getsignal(signal.{number}) is handle)
"""


@pytest.mark.parametrize(
    ("number", "come", "handle", "error"),
    [
        ("SIGINT", "signal.raise_signal(signal.SIGINT)", "raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("SIGUSR1", "signal.raise_signal(signal.SIGUSR1)", "raise RuntimeError('now')", "RuntimeError"),
        ("SIGALRM", "signal.setitimer(signal.ITIMER_REAL, 1e-6); spin()", "raise TimeoutError", "TimeoutError"),
        ("SIGUSR1", "signal.raise_signal(signal.SIGUSR1)", "pass", "RuntimeError"),
    ],
    ids=["interrupted", "raises", "alarm", "returns"],
)
def test_a_signals_handler_runs_after_the_answer_and_raises_into_the_script(
    number: str, come: str, handle: str, error: str, tmp_path: Path
) -> None:
    """At the script's own weights; what was asked has its answer, or is told why not."""
    file = tmp_path / "script.py"
    file.write_text(TORN.format(come=come, handle=handle, error=error, number=number))
    with new_run() as run, contextlib.ExitStack() as stack:
        process = start(run, file)
        stack.callback(process.kill)
        asked = client(run, process)
        asked.call("load", into="a", **{"from": "current"})
        (run.directory / "asked").touch()
        asked.send("gradient", {"at": "a", "into": "g", "how": how("as-trained")})
        answer = asked.receive()
        assert "result" in answer or answer["error"]["data"]["code"] == "busy", answer
        asked.close()
        output, _ = process.communicate(timeout=60)
        torn = 0 if handle == "pass" else 1
        assert f"torn {torn} own weights True handler True".encode() in output, output
        assert trouble(run) == ""
        manifest = run.manifest()
        assert manifest["state"] == "finished"
        assert manifest["recording"]["steps"] == len(run.steps())


ENGINE = """
import json, sys, time
sys.path.insert(0, {tests!r})
from harness import Client, how
asked = Client(json.loads(open({endpoint!r}).read()))
asked.call("load", into="a", **{{"from": "current"}})
asked.call("random", into="d", seed=1, like="a", normalisation="none", include={{"bias": True, "norm": True}})
points = [[0.001 * i] for i in range(200_000)]
asked.send("loss", {{"origin": "a", "directions": ["d"], "coefficients": points, "how": how("as-trained")}})
print("asked", flush=True)
time.sleep(600)
"""


def test_a_frozen_process_goes_with_the_engine_that_was_killed(tmp_path: Path) -> None:
    """Loader workers go too."""
    file = tmp_path / "loads.py"
    file.write_text(LOADER.format(method="fork"))
    with new_run() as run:
        assert record(run, file).returncode == 0
        frozen = start(run, file, "evaluate", "frozen.json")
        wait_for((run.directory / "frozen.json").exists, frozen)
        workers = list(children_of(frozen.pid))
        assert workers
        engine = tmp_path / "engine.py"
        engine.write_text(ENGINE.format(tests=str(SCRIPTS.parent), endpoint=str(run.directory / "frozen.json")))
        asking = subprocess.Popen([sys.executable, str(engine)], stdout=subprocess.PIPE)
        assert asking.stdout is not None and asking.stdout.readline() == b"asked\n"
        asking.kill()
        asking.wait()
        assert frozen.wait(60) == 0
        wait_for(lambda: not any(alive(pid) for pid in workers))


def test_a_process_whose_starter_was_lost_before_it_asked_is_not_left_frozen(tmp_path: Path) -> None:
    file = script(tmp_path)
    starter = subprocess.Popen([sys.executable, "-c", "pass"])
    starter.wait()
    with new_run() as run:
        assert record(run, file).returncode == 0
        lost = {"pid": starter.pid, "namespace": pid_namespace()}
        env = environment(run, mode="evaluate", endpoint=run.directory / "frozen.json", starter=lost)
        assert subprocess.run(command(file), env=env, cwd=run.directory, timeout=60).returncode == 0
        # A starter of another namespace of process ids is not looked for: the client decides.
        env = environment(
            run, mode="evaluate", endpoint=run.directory / "other.json", starter={**lost, "namespace": "pid:[0]"}
        )
        frozen = subprocess.Popen(command(file), env=env, cwd=run.directory)
        asked = client(run, frozen, "other.json")
        assert frozen.poll() is None
        asked.close()
        assert frozen.wait(60) == 0


def pid_namespace() -> Optional[str]:
    return os.readlink("/proc/self/ns/pid") if sys.platform == "linux" else None


def test_loops_without_backward_are_told_by_name() -> None:
    torch = pytest.importorskip("torch")
    if not hasattr(torch, "func"):
        pytest.skip("torch.func begins with torch 2.0")
    check_left_alone("functional_gradients", "torch.func.grad")


def test_cuda_graphs_are_left_alone_by_name() -> None:
    check_left_alone("cuda_graph", "CUDA graphs")


def check_left_alone(name: str, unseen: str) -> None:
    file = SCRIPTS.with_name("scripts-refused") / f"{name}.py"
    plain = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=120)
    with new_run() as run:
        done = record(run, file)
        assert done.returncode == 0, done.stderr
        assert done.stdout == plain.stdout
        assert trouble(run) == ""
        assert json.loads((run.directory / "python.json").read_text())["unseen"] == unseen


def test_a_graph_after_some_steps_is_noted_in_the_run(tmp_path: Path) -> None:
    inside = "\n    ".join(
        ["if step == 5:", "    try: torch.cuda.CUDAGraph()", "    except Exception: pass", "    assert os.environ"]
    )
    with new_run() as run:
        assert record(run, script(tmp_path, inside)).returncode == 0
        assert any("CUDA graphs" in note for note in run.manifest()["recording"]["notes"])
        assert len(run.steps()) >= 6


def test_mixed_loops_say_where_their_gradients_came_from(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not hasattr(torch, "func"):
        pytest.skip("torch.func begins with torch 2.0")
    file = tmp_path / "mixed.py"
    file.write_text(
        "import torch\n"
        "w = torch.nn.Parameter(torch.ones(3))\n"
        "optimizer = torch.optim.SGD([w], 0.1)\n"
        "for _ in range(5):\n"
        "    w.grad = torch.func.grad(lambda v: (v ** 2).sum())(w.detach())\n"
        "    optimizer.step()\n"
    )
    with new_run() as run:
        assert record(run, file).returncode == 0
        reason = run.manifest()["objectives"][0]["replay"]["reason"]
        assert "did not come from backward() but from torch.func.grad" in reason


def test_a_short_run_of_a_small_model_keeps_its_snapshots_however_slow_the_disk() -> None:
    with new_run() as run:
        done = record(run, SCRIPTS.with_name("scripts-planted") / "slow_disk.py")
        assert done.returncode == 0, done.stderr
        assert run.snapshots() == list(range(61))
        assert run.manifest()["recording"]["snapshots"] == 61


def test_a_gradient_that_cannot_be_kept_ends_no_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where gradients are heard before they are averaged the probe is inside of the script's own call."""
    import torch

    from basin_probe.local_gradients import LocalGradients

    weights = torch.ones(2, requires_grad=True)
    local = LocalGradients([weights])

    def no_memory(self: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of memory")

    with local, monkeypatch.context() as patched:
        patched.setattr(torch.Tensor, "clone", no_memory)
        (2 * weights).sum().backward()
    assert local.failed and not local.found
    assert weights.grad is not None and weights.grad.tolist() == [2, 2]
    (2 * weights).sum().backward()
    assert not local.found, "it has stopped listening"
