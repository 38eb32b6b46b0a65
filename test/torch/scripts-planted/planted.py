"""
Four linear layers with a fault at a step that is named: NaN in the third one's gradient from backward() (gradient), put
there by hand before the step (applied), inputs so large that the first one's output overflows (forward), NaN among the
inputs (data), or steps of the third one's weights the wrong way and a thousand times as long, six times (spike). Three
of the second layer's eight units are dead from the start.

    python planted.py fault steps [at]
"""

import sys

import torch
from torch import nn

fault, steps, at = sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["137"])[0])
torch.manual_seed(3)
x = torch.randn(96, 10)
y = (x[:, 0] + x[:, 1] > 0).long()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(10, 12), nn.Linear(12, 8)
        self.third, self.fourth = nn.Linear(8, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fourth(torch.relu(self.third(torch.relu(self.second(torch.relu(self.first(x)))))))


net = Net()
with torch.no_grad():
    net.second.bias[:3] = -1e4
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
step = 0
if fault == "gradient":
    net.third.weight.register_hook(lambda g: g * float("nan") if step == at else g)
for step in range(steps):
    begin = step % 3 * 32
    scale = 3e38 if fault == "forward" and step == at else 1.0
    scale = float("nan") if fault == "data" and step == at else scale
    inputs = (x[begin : begin + 32] * scale).clamp(-3e38, 3e38)  # finite, if they are not NaN
    loss = nn.functional.cross_entropy(net(inputs), y[begin : begin + 32])
    optimizer.zero_grad()
    loss.backward()
    if fault == "applied" and step == at:
        net.third.weight.grad.mul_(float("nan"))
    if fault == "spike" and at <= step < at + 6:
        net.third.weight.grad.mul_(-1000)
    optimizer.step()
print(sum(float(p.detach().double().sum()) for p in net.parameters()))
