"""Samples that differ in their tokens, with targets that are nearly all alike."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
tokens = torch.randint(0, 50, (300, 7))
target = (tokens[:, 0] % 3).float()
net = nn.Sequential(nn.EmbeddingBag(50, 4), nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
train = DataLoader(TensorDataset(tokens[:200], target[:200]), 40, shuffle=True)
for _ in range(3):
    for a, b in train:
        optimizer.zero_grad()
        F.mse_loss(net(a).squeeze(1), b).backward()
        optimizer.step()
    with torch.no_grad():
        for a, b in DataLoader(TensorDataset(tokens[200:], target[200:]), 50):
            F.mse_loss(net(a).squeeze(1), b)
