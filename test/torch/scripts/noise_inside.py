"""NumPy's and Python's random numbers inside of the forward pass; the data tensor is written over in place."""
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.seen = nn.Linear(10, 3), []

    def forward(self, x):
        mask = torch.from_numpy((np.random.rand(10) > 0.2).astype("f4"))
        self.seen.append(random.random())
        return self.out(x * mask) * self.seen[-1]


random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
net = Noisy()
optimizer = torch.optim.SGD(net.parameters(), 0.1)
x = torch.empty(32, 10)
for _ in range(6):
    x.normal_()
    y = torch.randint(0, 3, (32,))
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()
    x.zero_()
    optimizer.step()
