"""A GAN whose generator steps first, and which looks at both losses on held-out noise. Prints what the generator's comes to at the end."""
import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
optimizer_g = torch.optim.SGD(generator.parameters(), 0.05)
optimizer_d = torch.optim.SGD(critic.parameters(), 0.05)
bce = nn.BCEWithLogitsLoss()
held_out, real_held_out = torch.randn(48, 4), torch.randn(48, 2)
for step in range(8):
    real, noise = torch.randn(32, 2), torch.randn(32, 4)
    critic.requires_grad_(False)
    optimizer_g.zero_grad()
    bce(critic(generator(noise)), torch.ones(32, 1)).backward()
    optimizer_g.step()
    critic.requires_grad_(True)
    generator.eval(), critic.eval()
    with torch.no_grad():
        bce(critic(real_held_out), torch.ones(48, 1))
        bce(critic(generator(held_out)), torch.zeros(48, 1))
        bce(critic(generator(held_out)), torch.ones(48, 1))
    generator.train(), critic.train()
    optimizer_d.zero_grad()
    bce(critic(real), torch.ones(32, 1)).backward()
    bce(critic(generator(noise).detach()), torch.zeros(32, 1)).backward()
    optimizer_d.step()
with torch.no_grad():
    print(bce(critic(generator(held_out)), torch.ones(48, 1)).item())
