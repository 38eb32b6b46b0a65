"""Weights that are complex numbers."""
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(6, 4, dtype=torch.complex64)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    optimizer.zero_grad()
    net(torch.randn(8, 6, dtype=torch.complex64)).abs().mean().backward()
    optimizer.step()
