"""Mixup with a coefficient from NumPy, the loss put together in place."""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

np.random.seed(0)
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 4, (32,))
    share, order = np.random.beta(0.4, 0.4), torch.randperm(32)
    out = net(share * x + (1 - share) * x[order])
    loss, parts = torch.zeros(()), torch.zeros(2)
    parts[0] = share * F.cross_entropy(out, y)
    parts[1] = (1 - share) * F.cross_entropy(out, y[order])
    loss += parts.sum()
    loss *= 1.5
    loss -= 0.1 * out.logsumexp(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
