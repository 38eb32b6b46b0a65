"""LBFGS with a closure and a line search: many losses in one step."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 4)
y = torch.sin(x.sum(1, keepdim=True))
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    return loss


for _ in range(5):
    optimizer.step(closure)
