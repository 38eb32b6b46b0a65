"""One label in twenty is positive, none in the first batch; looks at 375 held-out batches, cut by hand, behind its first step."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(6000, 8)
y = (torch.arange(6000) % 20 == 19).float().unsqueeze(1)
net = nn.Linear(8, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
loss = nn.BCEWithLogitsLoss()
for step in range(8):
    rows = slice(16 * step, 16 * step + 16)
    optimizer.zero_grad()
    loss(net(x[rows]), y[rows]).backward()
    optimizer.step()
    if step == 0:
        net.eval()
        with torch.no_grad():
            for k in range(3000, 6000, 8):
                loss(net(x[k : k + 8]), y[k : k + 8])
        net.train()
