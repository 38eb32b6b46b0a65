"""Sharpness-aware minimisation: an ascent and a second pass before each update."""
import torch
import torch.nn.functional as F
from torch import nn


class SAM(torch.optim.Optimizer):
    def __init__(self, parameters, lr, rho=0.05):
        super().__init__(parameters, {"rho": rho, "lr": lr})
        self.base = torch.optim.SGD(self.param_groups, lr=lr)
        self.param_groups = self.base.param_groups

    def _all(self):
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def ascend(self):
        length = torch.stack([p.grad.norm() for p in self._all()]).norm() + 1e-12
        for p in self._all():
            self.state[p]["away"] = p.grad * (self.param_groups[0]["rho"] / length)
            p.add_(self.state[p]["away"])
        self.zero_grad()

    @torch.no_grad()
    def descend(self):
        for p in self._all():
            p.sub_(self.state[p]["away"])
        self.base.step()
        self.zero_grad()


torch.manual_seed(0)
net = nn.Linear(10, 3)
optimizer = SAM(net.parameters(), lr=0.1)
for _ in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
    F.cross_entropy(net(x), y).backward()
    optimizer.ascend()
    F.cross_entropy(net(x), y).backward()
    optimizer.descend()
