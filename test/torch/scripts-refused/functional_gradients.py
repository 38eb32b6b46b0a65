"""Gradients by torch.func.grad and updates by hand: there is no backward() and no optimizer."""
import torch
from torch import nn
from torch.func import functional_call, grad

torch.manual_seed(0)
net = nn.Linear(10, 3)
weights = {k: v.detach().clone() for k, v in net.named_parameters()}
gradients = grad(lambda w, x, y: nn.functional.cross_entropy(functional_call(net, w, (x,)), y))
for _ in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
    step = gradients(weights, x, y)
    weights = {k: w - 0.1 * step[k] for k, w in weights.items()}
print(sum(w.sum().item() for w in weights.values()))
