"""
Seconds for the loss of a benchmark model at one set of weights, as JSON: `bare`, one forward pass over all samples
in mini-batches of the size that is fastest here, nothing loaded; `plain`, a loop that loads a state_dict and walks a
DataLoader of tensors for every point; `images`, the same as published tools have it, over a dataset of 8-bit images that
are made floats and normalised one by one. `share`: of the forward passes in each of the two loops, at the loader's size.

    python torch_forward.py MODEL SAMPLES
"""

import json
import sys
import time

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, TensorDataset

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
tensors = DataLoader(TensorDataset(x, y), batch_size=128)


class Images(Dataset):
    """As torchvision's data sets keep and give them: bytes, by ToTensor and Normalize."""

    def __init__(self):
        self.bytes = (x * 255).to(torch.uint8).reshape(-1, 28, 28).numpy()
        self.mean, self.deviation = torch.tensor([0.5]).view(-1, 1, 1), torch.tensor([0.29]).view(-1, 1, 1)

    def __len__(self):
        return len(self.bytes)

    def __getitem__(self, i):
        image = torch.from_numpy(self.bytes[i]).unsqueeze(0).contiguous().to(torch.float32).div(255)
        return image.sub_(self.mean).div_(self.deviation), int(y[i])


images = DataLoader(Images(), batch_size=128)


def plain(loader):
    model.load_state_dict({k: v + 0.01 * direction[k] for k, v in state.items()})
    total = 0.0
    with torch.no_grad():
        for a, b in loader:
            total += cross_entropy(model(a.flatten(1)), b).item() * len(b)
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
forward = typical(lambda: bare(128))
loops = {"plain": typical(lambda: plain(tensors)), "images": typical(lambda: plain(images), 3)}
share = {name: forward / seconds for name, seconds in loops.items()}
print(json.dumps({"bare": typical(lambda: bare(best)), "batch": best, "share": share, **loops}))
