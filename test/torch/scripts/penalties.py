"""Several terms, two of them penalties over parameters; gradients clipped; the full batch at every step."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = torch.sin(x.sum(1, keepdim=True))
net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for _ in range(8):
    error = ((net(x) - y) ** 2).mean()
    ridge = 1e-4 * sum((p**2).sum() for p in net.parameters())
    lasso = sum(p.abs().sum() for name, p in net.named_parameters() if "weight" in name)
    loss = error + ridge + 1e-5 * lasso
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
