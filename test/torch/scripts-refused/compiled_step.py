"""The whole step, backward() and the update inside, is one compiled function."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.SGD(net.parameters(), 0.1)
f = nn.CrossEntropyLoss()
@torch.compile
def step(x, y):
    opt.zero_grad()
    loss = f(net(x), y)
    loss.backward()
    opt.step()
    return loss
for _ in range(6):
    x, y = torch.randn(32, 4), torch.randint(0, 3, (32,))
    l = step(x, y)
print(float(l))
