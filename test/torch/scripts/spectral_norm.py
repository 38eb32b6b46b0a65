"""Spectral norm, whose power iteration moves with each call."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
critic = nn.Sequential(nn.utils.spectral_norm(nn.Linear(2, 32)), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(critic.parameters(), 1e-3)
for _ in range(6):
    x = torch.randn(32, 2)
    loss = F.softplus(-critic(x)).mean() + F.softplus(critic(x - 1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
