"""
Draws from torch, NumPy and random at every step, in the data (in two worker processes with --workers) and beside them,
and prints a hash a step over weights, momentum and the three streams: the course of the script, bit for bit.
"""
import hashlib
import random
import sys

import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __len__(self):
        return 256

    def __getitem__(self, i):
        x = torch.randn(10) + random.random() + numpy.random.rand()
        return x.float(), int(i % 2)


def course(net, optimizer):
    digest = hashlib.sha256()
    for p in net.parameters():
        digest.update(p.detach().numpy().tobytes())
        digest.update(optimizer.state[p]["momentum_buffer"].numpy().tobytes())
    digest.update(torch.get_rng_state().numpy().tobytes())
    _, key, position, *_ = numpy.random.get_state()
    digest.update(key.tobytes() + bytes(str(position), "ascii"))
    digest.update(repr(random.getstate()).encode())
    return digest.hexdigest()


def main():
    random.seed(1)
    numpy.random.seed(2)
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    loader = DataLoader(Noisy(), 16, shuffle=True, num_workers=2 if "--workers" in sys.argv else 0)
    for epoch in range(5):
        for x, y in loader:
            scale = random.uniform(0.9, 1.1) + 0.1 * numpy.random.rand()
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(scale * x), y).backward()
            optimizer.step()
            print(epoch, course(net, optimizer), flush=True)


if __name__ == "__main__":
    main()
