"""
Seconds for the loss of a benchmark model at one set of weights, as JSON: `bare`, one forward pass over all samples in
mini-batches of the size that is fastest here, nothing loaded; `plain`, the loop of published tools, which loads a
state_dict and walks a DataLoader for every point.

    python torch_forward.py MODEL SAMPLES
"""

import json
import sys
import time

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from torch_models import make_data, make_model

torch.set_num_threads(1)
kind, samples = sys.argv[1], int(sys.argv[2])
model = make_model(kind).eval()
x, y = make_data(samples)


def bare(size):
    with torch.inference_mode():
        total = 0.0
        for i in range(0, samples, size):
            total += float(cross_entropy(model(x[i : i + size]), y[i : i + size], reduction="sum"))
    return total / samples


state = {k: v.clone() for k, v in model.state_dict().items()}
direction = {k: torch.randn_like(v) for k, v in state.items()}
loader = DataLoader(TensorDataset(x, y), batch_size=128)


def plain():
    model.load_state_dict({k: v + 0.01 * direction[k] for k, v in state.items()})
    total = 0.0
    with torch.no_grad():
        for a, b in loader:
            total += cross_entropy(model(a), b).item() * len(b)
    return total / samples


def typical(call, repeats=9):
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return sorted(times)[repeats // 2]


sizes = {size: typical(lambda: bare(size), 3) for size in (32, 64, 128, 256, 512, 1024) if size <= samples}
best = min(sizes, key=sizes.get)
print(json.dumps({"bare": typical(lambda: bare(best)), "batch": best, "plain": typical(plain)}))
