"""A gradient step inside of the loss."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
weight = nn.Parameter(torch.randn(10, 3) * 0.1)
optimizer = torch.optim.SGD([weight], 0.1)
for _ in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
    (gradient,) = torch.autograd.grad(F.cross_entropy(x @ weight, y), weight, create_graph=True)
    loss = F.cross_entropy(x @ (weight - 0.1 * gradient), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
