"""Double Q-learning: the target is computed without gradient by the net itself and by a slowly moving copy."""
import copy

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
q = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
target_q = copy.deepcopy(q)
optimizer = torch.optim.Adam(q.parameters(), 1e-3)
for _ in range(8):
    state, action = torch.randn(32, 4), torch.randint(0, 2, (32, 1))
    reward, after = torch.randn(32), torch.randn(32, 4)
    with torch.no_grad():
        best = q(after).argmax(1, keepdim=True)
        target = reward + 0.99 * target_q(after).gather(1, best).squeeze(1)
    loss = F.smooth_l1_loss(q(state).gather(1, action).squeeze(1), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for p, t in zip(q.parameters(), target_q.parameters()):
            t.mul_(0.995).add_(0.005 * p)
