"""
Runs a script as __main__ and writes one hash a step over everything that training may depend on and can be reached
from Python: weights, gradients, buffers, flags and counters of every module that was ever made, optimizers with their
state, schedules, tensors and generators among the script's names, version counters, and all random streams.

    python fingerprint.py SCRIPT      with in the environment
    RESULT    where the JSON goes: hashes by step, and `hash`, the one behind the script's end
    STOP      after how many steps the script is broken off; a file: once it is there; without it the script ends by itself
    ASK       a seed: a second thread meanwhile asks the probe of this very process (questions.py)
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import runpy
import sys
import threading
import time
from collections import deque
from typing import Any

import numpy
import torch

CONTAINERS = (list, tuple, deque, dict)
#: These make modules that are none of the script's: compilers more with an empty cache than with a filled one, and a
#: replayed forward pass once more each that the script makes in it, such as a loss.
OTHERS = ("torch.fx", "torch._dynamo", "torch._inductor", "torch._functorch", "basin_probe.program", "basin_probe.evaluator")


class Enough(Exception):
    """Breaks the script off behind a step."""


class Everything:
    """What is hashed. Modules and optimizers are held from their making on, so that their order is that of the script."""

    def __init__(self) -> None:
        self.modules: list[torch.nn.Module] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self.digest = hashlib.sha256()
        self._seen: set[int] = set()
        self._own = sys.modules["__main__"].__dict__
        #: the script's, left behind by its end
        self.left: dict[str, Any] = {}

    def names(self) -> dict[str, Any]:
        """The script's, while it runs; this file's own are none of them."""
        now = sys.modules["__main__"].__dict__
        return self.left if now is self._own else now

    def watch(self) -> None:
        for name in ("__init__", "__setstate__"):  # deepcopy and unpickling go through the second
            self._after(torch.nn.Module, name, self.modules)
        self._after(torch.optim.Optimizer, "__init__", self.optimizers)

    def _after(self, kind: type, name: str, found: list) -> None:
        original = getattr(kind, name)

        def call(made: Any, *args: Any, **kwargs: Any) -> Any:
            out = original(made, *args, **kwargs)
            if all(x is not made for x in found) and not made_by_others():
                found.append(made)
            return out

        setattr(kind, name, call)

    def hash(self) -> str:
        """Of this moment and all before it."""
        self._seen = set()
        with torch.no_grad(), torch._C.DisableTorchFunction():
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    for p in group["params"]:
                        self._note(p)
                        self._note(p.grad)
                        self._note(sorted(optimizer.state.get(p, {}).items(), key=lambda item: str(item[0])))
                    self._note([x for x in sorted(group.items()) if x[0] != "params"])
            for module in self.modules:
                self._module(module)
            names = self.names()
            for name in sorted(names):
                if not name.startswith("__"):
                    self._note(names[name])
        self.digest.update(torch.get_rng_state().numpy().tobytes())
        self.digest.update(repr(random.getstate()).encode())
        self._numpy(numpy.random.get_state())
        return self.digest.hexdigest()

    def _module(self, module: torch.nn.Module) -> None:
        for tensors in (module._parameters, module._buffers):
            for key, tensor in sorted(tensors.items(), key=lambda item: item[0]):  # a scripted module's is no mapping
                self.digest.update(key.encode())
                self._note(tensor)
                self._note(None if tensor is None else tensor.grad)
        self._note(module.training)
        for key, value in sorted(module.__dict__.items()):
            if not key.startswith("_"):
                self._note(value)

    def _note(self, value: Any, depth: int = 0) -> None:
        if isinstance(value, torch.Tensor):
            self._tensor(value)
        elif value is None or isinstance(value, (bool, int, float, str)):
            self.digest.update(repr(value).encode())
        elif isinstance(value, numpy.ndarray) and value.dtype != object:
            self.digest.update(value.tobytes())
        elif isinstance(value, CONTAINERS) and depth < 6 and len(value) < 10_000:
            for item in value.items() if isinstance(value, dict) else value:
                self._note(item, depth + 1)
        elif isinstance(value, torch.Generator):
            self.digest.update(value.get_state().numpy().tobytes())
        elif isinstance(value, random.Random):
            self.digest.update(repr(value.getstate()).encode())
        elif isinstance(value, (numpy.random.Generator, numpy.random.RandomState)):
            self._numpy(value.bit_generator.state if hasattr(value, "bit_generator") else value.get_state())
        elif hasattr(type(value), "state_dict") and not isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
            self._note(value.state_dict(), depth + 1)  # a schedule, a gradient scaler

    def _numpy(self, state: Any) -> None:
        # The key alone stays the same over 624 draws: the position in it tells them apart.
        self._note(list(state) if isinstance(state, tuple) else state)

    def _tensor(self, t: torch.Tensor) -> None:
        if id(t) in self._seen or t.is_meta or t.layout != torch.strided:
            return
        self._seen.add(id(t))
        self.digest.update(f"{tuple(t.shape)}{t.dtype}{t.requires_grad}{t.is_leaf}".encode())
        # Before 2.1 the count of a buffer that a forward pass writes cannot be put back.
        if not t.is_inference() and (t.requires_grad or hasattr(torch._C._autograd, "_unsafe_set_version_counter")):
            self.digest.update(str(t._version).encode())
        self.digest.update(t.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def made_by_others() -> bool:
    """Whether a compiler or the probe's replay is at work up the stack."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(OTHERS):
            return True
        frame = frame.f_back
    return False


everything = Everything()
hashes: list[str] = []
stop = os.environ.get("STOP", "")
seed = os.environ.get("ASK")
asker: Any = None
#: The probe answers behind a step: the other thread needs time to put its next questions.
PAUSE = 0.002
#: A script that goes to its own end has few steps: most wait for questions, at most so long.
PATIENCE = 0.2
#: A long run is hashed at every tenth step from here on: what differs once does not become equal again.
CLOSELY = 50


def note_step() -> None:
    due = len(hashes) < CLOSELY or len(hashes) % 10 == 0
    hashes.append(everything.hash() if due else "")
    if asker is not None:
        if stop:
            time.sleep(PAUSE)
        elif len(hashes) % 4 != 3:
            asker.ready.wait(PATIENCE)
    if (len(hashes) >= int(stop)) if stop.isdigit() else (stop and os.path.exists(stop)):
        raise Enough


def watch_steps() -> None:
    """Behind each step's work, the probe's included: by a hook where torch has a global one, else around ``step``."""
    module = sys.modules["torch.optim.optimizer"]
    if hasattr(module, "register_optimizer_step_post_hook"):
        module.register_optimizer_step_post_hook(lambda optimizer, args, kwargs: note_step())
    else:
        made = torch.optim.Optimizer.__init__

        def make(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            made(optimizer, *args, **kwargs)
            kind = type(optimizer)
            step = kind.step
            if not getattr(step, "noted", False):

                def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
                    out = step(self, *args, **kwargs)
                    note_step()
                    return out

                noted.noted = noted.hooked = True  # the second keeps torch from wrapping it once more
                kind.step = noted

        torch.optim.Optimizer.__init__ = make
    backward = torch.autograd.backward

    def watched(*args: Any, **kwargs: Any) -> Any:
        out = backward(*args, **kwargs)
        if not everything.optimizers:  # updates by hand: each backward pass is a step
            note_step()
        return out

    torch.autograd.backward = watched


def main() -> None:
    global asker
    everything.watch()
    watch_steps()
    if seed is not None:
        sys.path.append(os.path.dirname(os.path.abspath(__file__)))
        from questions import Asker

        asker = Asker(json.loads(os.environ["BASIN_PROBE"]), int(seed), stop)
        threading.Thread(target=asker.run, daemon=True).start()
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    random.seed(1)
    numpy.random.seed(1)
    torch.manual_seed(1)
    try:
        everything.left = runpy.run_path(script, run_name="__main__")
    except Enough:
        pass
    hashes.append(everything.hash())
    told = {} if asker is None else asker.told()
    with open(os.environ["RESULT"], "w") as out:
        json.dump({"hashes": hashes, "hash": hashes[-1], **told}, out)
    gc.collect()


main()
