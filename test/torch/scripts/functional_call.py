"""Weights outside of the module, put in by functional_call."""
import torch
import torch.nn.functional as F
from torch import nn

try:
    from torch.func import functional_call
except ImportError:
    from torch.nn.utils.stateless import functional_call

torch.manual_seed(0)
net = nn.Linear(10, 3)
weights = {k: v.detach().clone().requires_grad_() for k, v in net.named_parameters()}
optimizer = torch.optim.SGD(list(weights.values()), 0.1)
for _ in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
    loss = F.cross_entropy(functional_call(net, weights, (x,)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
