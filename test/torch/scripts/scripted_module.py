"""A model that was compiled by torch.jit.script."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = torch.jit.script(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1)))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(6):
    x = torch.randn(32, 6)
    loss = F.mse_loss(net(x), x.sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
