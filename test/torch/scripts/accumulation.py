"""Four backward passes a step."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
optimizer.zero_grad()
for i in range(20):
    x, y = torch.randn(16, 10), torch.randint(0, 3, (16,))
    (F.cross_entropy(net(x), y) / 4).backward()
    if i % 4 == 3:
        optimizer.step()
        optimizer.zero_grad()
