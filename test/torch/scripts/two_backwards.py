"""Two losses with a shared body, one of them a vector with weights."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
body, classes, value = nn.Linear(6, 16), nn.Linear(16, 3), nn.Linear(16, 1)
optimizer = torch.optim.SGD([*body.parameters(), *classes.parameters(), *value.parameters()], 0.1)
for _ in range(6):
    h = torch.relu(body(torch.randn(32, 6)))
    first = F.cross_entropy(classes(h), torch.randint(0, 3, (32,)))
    second = F.mse_loss(value(h), torch.randn(32, 1), reduction="none")
    optimizer.zero_grad()
    first.backward(retain_graph=True)
    torch.autograd.backward(second, torch.ones_like(second) / 32)
    optimizer.step()
