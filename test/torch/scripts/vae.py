"""Sampling inside of the loss; submodules called one by one."""
import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(12, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 12))

    def encode(self, x):
        h = F.relu(self.body(x))
        return self.mean(h), self.spread(h)


torch.manual_seed(0)
model = Autoencoder()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for _ in range(6):
    x = torch.rand(32, 12)
    mean, log_variance = model.encode(x)
    code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
    rebuilt = torch.sigmoid(model.decoder(code))
    divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
    loss = F.binary_cross_entropy(rebuilt, x, reduction="sum") + divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
