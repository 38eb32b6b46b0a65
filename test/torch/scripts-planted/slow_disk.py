"""Sixty quick steps while every file that is put into place takes its time, as on a machine that is busy."""
import os
import time

import torch

replace = os.replace


def slowly(source, target):
    time.sleep(0.02)
    replace(source, target)


os.replace = slowly
net = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(60):
    optimizer.zero_grad()
    net(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()
