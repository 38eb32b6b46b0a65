"""
Trains one of the benchmark models for a number of steps and writes, to the file that BENCH_RESULT names, the CPU and
wall time of the steps after a warm-up. Knows nothing of Basin.

    python torch_train.py mlp-tiny | mlp-0.5m | mlp-10m | cnn  STEPS
"""

import json
import os
import sys
import time

import torch
from torch.utils.data import DataLoader, TensorDataset

from torch_models import make_data, make_model

torch.set_num_threads(1)
kind, steps = sys.argv[1], int(sys.argv[2])
torch.manual_seed(1)
model = make_model(kind)
loader = DataLoader(TensorDataset(*make_data(2048)), batch_size=128)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
done, start = 0, None
while done < steps:
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        done += 1
        if done == max(1, steps // 4):
            start, counted = (time.process_time(), time.perf_counter()), done
        if done == steps:
            break
cpu, wall = time.process_time() - start[0], time.perf_counter() - start[1]
with open(os.environ["BENCH_RESULT"], "w") as file:
    count = sum(p.numel() for p in model.parameters())
    json.dump({"parameters": count, "cpuMs": 1000 * cpu, "wallMs": 1000 * wall, "steps": steps - counted}, file)
