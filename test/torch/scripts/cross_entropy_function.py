"""F.cross_entropy with label smoothing and dropout, no guard, batches drawn by hand."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 20)
y = x[:, :5].argmax(1)
net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 5))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(8):
    rows = torch.randint(0, 512, (64,))
    logits = net(x[rows])
    loss = F.cross_entropy(logits, y[rows], label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    accuracy = (logits.argmax(1) == y[rows]).float().mean().item()
