"""
The gradient noise of twin.py's dense network from the gradient of every single sample, by torch.func in float64:
python reference_noise.py <problem.json> <snapshot of PyTorch> <batch size>

Prints one JSON object: `trace` and `signal` over all samples (tr of the covariance of one sample's gradient, squared norm of
their mean), and `batches`: both as they are estimated from the means of batches, by a double sum over pairs.
"""

from __future__ import annotations

import json
import struct
import sys

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.set_default_dtype(torch.float64)


def read(file: str) -> dict[str, torch.Tensor]:
    with open(file, "rb") as source:
        data = source.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            values = torch.frombuffer(bytearray(data[8 + length + begin : 8 + length + end]), dtype=torch.float32)
            found[name] = values.view(entry["shape"]).double()
    return found


problem, snapshot, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(problem) as text:
    given = json.load(text)
side, classes = given["size"], given["classes"]
net = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 12), nn.ReLU(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, classes))
names = [name for name, _ in net.named_parameters()]
weights = read(snapshot)
net.load_state_dict({name: weights[name] for name in names})
labels = torch.tensor(given["labels"])
train = len(labels) - given["heldOut"]
images = torch.tensor(given["images"]).view(len(labels), 1, side, side)[:train]
labels = labels[:train]
parameters = {name: p.detach() for name, p in net.named_parameters()}


def loss(values: dict[str, torch.Tensor], image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(functional_call(net, values, (image[None],)), label[None])


single = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, images, labels)
rows = torch.cat([single[name].flatten(1) for name in names], 1)
mean = rows.mean(0)
means = [rows[i : i + size].mean(0) for i in range(0, train, size)]
pairs = [(a @ b).item() for i, a in enumerate(means) for j, b in enumerate(means) if i != j]
signal = sum(pairs) / len(pairs)
print(
    json.dumps(
        {
            "signal": (mean @ mean).item(),
            "trace": ((rows - mean).square().sum() / (train - 1)).item(),
            "batches": {
                "signal": signal,
                "trace": sum(size * ((g @ g).item() - signal) for g in means) / len(means),
            },
        }
    )
)
