"""A model that takes a dictionary and gives a dictionary with a tuple, a list and a dataclass in it."""
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Features:
    values: torch.Tensor
    count: int


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.classes, self.value = nn.Linear(10, 32), nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, batch, scale=1.0):
        h = torch.relu(self.body(batch["x"]))
        return {"logits": self.classes(h), "value": (self.value(h) * scale, [h]), "features": Features(h, 3)}


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
for _ in range(6):
    batch = {"x": torch.randn(32, 10), "y": torch.randint(0, 3, (32,)), "t": torch.randn(32)}
    out = net(batch, scale=0.5)
    loss = F.cross_entropy(out["logits"], batch["y"]) + F.smooth_l1_loss(out["value"][0].squeeze(-1), batch["t"])
    loss = loss + 1e-3 * out["features"].values.norm() + 1e-3 * out["value"][1][0].mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
