"""A loss that cannot be replayed, named to Basin in three lines."""
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(256, 10), torch.randint(0, 3, (256,))), 64, shuffle=True)
model = nn.Linear(10, 3)
if "basin_probe" in sys.modules:
    sys.modules["basin_probe"].watch(model, F.cross_entropy, loader)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for x, y in loader:
    error = F.cross_entropy(model(x), y)
    loss = error / (1 + error.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
