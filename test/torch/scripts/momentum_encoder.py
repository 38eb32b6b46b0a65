"""Momentum contrast: the forward pass writes a queue, a pointer and frozen weights."""
import torch
import torch.nn.functional as F
from torch import nn


class Contrast(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(10, 8), nn.Linear(10, 8)
        self.register_buffer("queue", torch.randn(8, 64))
        self.register_buffer("place", torch.zeros(1, dtype=torch.long))
        for p in self.key.parameters():
            p.requires_grad_(False)

    def forward(self, a, b):
        q = F.normalize(self.query(a), dim=1)
        with torch.no_grad():
            for p, k in zip(self.query.parameters(), self.key.parameters()):
                k.data = k.data * 0.99 + p.data * 0.01
            keys = F.normalize(self.key(b), dim=1)
        logits = torch.cat([(q * keys).sum(1, keepdim=True), q @ self.queue.clone()], 1) / 0.07
        i = int(self.place)
        self.queue[:, i : i + 16] = keys.T
        self.place[0] = (i + 16) % 64
        return logits, torch.zeros(len(a), dtype=torch.long)


torch.manual_seed(0)
net = Contrast()
optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)
for _ in range(6):
    x = torch.randn(16, 10)
    logits, target = net(x, x + 0.1 * torch.randn(16, 10))
    loss = F.cross_entropy(logits, target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
