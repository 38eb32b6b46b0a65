"""Three forward passes of one net with batch norm in a step."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
triplet = nn.TripletMarginLoss()
for _ in range(6):
    a, p, n = net(torch.randn(32, 10)), net(torch.randn(32, 10)), net(torch.randn(32, 10))
    loss = triplet(a, p, n) + 0.1 * (1 - F.cosine_similarity(a, p)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
