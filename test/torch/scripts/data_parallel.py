"""DataParallel around the model."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = nn.DataParallel(nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 3)))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(6):
    x, y = torch.randn(64, 10), torch.randint(0, 3, (64,))
    loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
