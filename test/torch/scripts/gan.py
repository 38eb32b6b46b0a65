"""Two optimizers, two losses: each has a landscape of its own, with the other's weights as state."""
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
optimizer_g = torch.optim.Adam(generator.parameters(), 1e-3)
optimizer_d = torch.optim.Adam(critic.parameters(), 1e-3)
bce = nn.BCEWithLogitsLoss()
for _ in range(6):
    real, noise = torch.randn(64, 2) * 0.5 + 1, torch.randn(64, 4)
    optimizer_d.zero_grad()
    bce(critic(real), torch.ones(64, 1)).backward()
    fake = generator(noise)
    bce(critic(fake.detach()), torch.zeros(64, 1)).backward()
    optimizer_d.step()
    optimizer_g.zero_grad()
    bce(critic(fake), torch.ones(64, 1)).backward()
    optimizer_g.step()
