"""A policy's loss by torch.distributions, which looks at its arguments to check them, and a Gaussian with a learnt scale."""
import torch
from torch import nn
from torch.distributions import Categorical, Normal, kl_divergence

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
log_scale = nn.Parameter(torch.zeros(1))
optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters(), log_scale], 1e-2)
for _ in range(6):
    states = torch.randn(64, 4)
    with torch.no_grad():
        old = Categorical(logits=policy(states))
        actions = old.sample()
    returns = (actions == states.argmax(1).clamp(max=2)).float()
    choice = Categorical(logits=policy(states))
    value = Normal(critic(states).squeeze(1), log_scale.exp())
    advantage = (returns - value.mean).detach()
    loss = -(choice.log_prob(actions) * advantage).mean() - value.log_prob(returns).mean()
    loss = loss + 0.1 * kl_divergence(old, choice).mean() - 0.01 * choice.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
