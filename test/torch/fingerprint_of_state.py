"""
Runs a script as __main__ and prints one hash over everything that training may depend on: all parameters, optimizer
state and random streams after every step, and the buffers of all modules at the end. With ASK in the environment a
second thread meanwhile asks the probe of this very process questions between steps.
"""

import gc
import hashlib
import json
import os
import random
import runpy
import sys
import threading
import time

import numpy
import torch

digest = hashlib.sha256()
steps = 0
problems = []
answered = 0


def note_step(optimizer):
    global steps
    steps += 1
    for group in optimizer.param_groups:
        for p in group["params"]:
            note(p)
            for _, value in sorted(optimizer.state.get(p, {}).items(), key=lambda item: str(item[0])):
                if isinstance(value, torch.Tensor):
                    note(value)
    digest.update(torch.get_rng_state().numpy().tobytes())
    digest.update(repr(random.getstate()).encode())
    # The key alone stays the same over 624 draws: the position in it tells them apart.
    digest.update(numpy.random.get_state()[1].tobytes() + repr(numpy.random.get_state()[2:]).encode())
    if os.environ.get("ASK"):
        time.sleep(0.03)  # the other thread's next questions arrive


def note(tensor):
    digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def ask(endpoint):
    global answered
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from harness import Client, how

    while not os.path.exists(endpoint):
        time.sleep(0.002)
    with open(endpoint) as text:
        where = json.load(text)
    try:
        client = Client(where)
        mode = client.description["modes"][0]
        refresh = client.description["hasStatistics"] and mode == "inference"
        while True:
            for method, params in (
                ("load", {"into": "a", "from": "current"}),
                ("random", {"into": "d", "seed": answered, "like": "a", "normalisation": "filter",
                            "include": {"bias": False, "norm": False}}),
                ("loss", {"origin": "a", "directions": ["d"], "coefficients": [[0.0], [0.5]], "how": how()}),
                ("loss", {"origin": "a", "directions": ["d"], "coefficients": [[3.0]],
                          "how": how(mode, refresh=refresh)}),
                ("gradient", {"at": "a", "into": "g", "how": how()}),
                ("hvp", {"at": "a", "vector": "d", "into": "h", "how": how(), "method": "auto"}),
                ("refreshStatistics", {"vector": "a", "data": {"split": "train"}}),
                ("verify", {"vector": "a", "batch": 0}),
            ):  # fmt: skip
                client.call(method, **params)
                answered += 1
    except (EOFError, OSError):
        pass  # the script is done
    except Exception as error:
        problems.append(repr(error))


module = sys.modules["torch.optim.optimizer"]
if hasattr(module, "register_optimizer_step_post_hook"):
    module.register_optimizer_step_post_hook(lambda optimizer, args, kwargs: note_step(optimizer))
if os.environ.get("ASK"):
    threading.Thread(target=ask, args=(os.environ["ASK"],), daemon=True).start()
script = sys.argv[1]
sys.argv = sys.argv[1:]
random.seed(1)
numpy.random.seed(1)
torch.manual_seed(1)
names = runpy.run_path(script, run_name="__main__")
for name in sorted(names):
    if isinstance(names[name], torch.nn.Module):
        for tensor in list(names[name].parameters()) + list(names[name].buffers()):
            note(tensor)
    elif isinstance(names[name], torch.Tensor) and names[name].is_leaf:
        note(names[name])
digest.update(torch.get_rng_state().numpy().tobytes())
with open(os.environ["RESULT"], "w") as out:
    json.dump({"hash": digest.hexdigest(), "steps": steps, "answered": answered, "problems": problems}, out)
gc.collect()
