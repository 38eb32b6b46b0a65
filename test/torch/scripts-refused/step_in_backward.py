"""Optimizers that step inside of backward()."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = nn.Linear(10, 3)
optimizers = {p: torch.optim.SGD([p], 0.1) for p in net.parameters()}


def update(p):
    optimizers[p].step()
    optimizers[p].zero_grad()


for p in net.parameters():
    p.register_post_accumulate_grad_hook(update)
for _ in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    print(loss.item())
