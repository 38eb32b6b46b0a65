"""torch.compile of a function that holds the model and the loss."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


@torch.compile
def loss_of(x, y):
    return F.cross_entropy(net(x), y)


for _ in range(6):
    loss = loss_of(torch.randn(64, 10), torch.randint(0, 3, (64,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
