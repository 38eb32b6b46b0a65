"""bfloat16 autocast, with a gradient scaler where this torch has one for the CPU."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
amp = getattr(torch, "amp", None)
scaler = amp.GradScaler("cpu") if hasattr(amp, "GradScaler") else None
for _ in range(6):
    x, y = torch.randn(64, 10), torch.randint(0, 3, (64,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    if scaler is None:
        loss.backward()
        optimizer.step()
    else:
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
