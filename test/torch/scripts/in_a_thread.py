"""Training in another thread than the main one."""
import threading

import torch
import torch.nn.functional as F
from torch import nn


def train():
    torch.manual_seed(0)
    net = nn.Linear(10, 3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(6):
        x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()


thread = threading.Thread(target=train)
thread.start()
thread.join()
