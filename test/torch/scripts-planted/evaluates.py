"""Evaluates without gradient what the argument says: held-out samples, those that it trains on, or both; by loaders or by hand."""
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, SubsetRandomSampler, TensorDataset

how, what = sys.argv[1:3]
torch.manual_seed(0)
x = torch.randn(2000, 8)
y = x[:, :3].argmax(1)
data = TensorDataset(x, y)


class View(Dataset):
    """A part of the data, for training with noise."""

    def __init__(self, part, augment):
        self.part, self.augment = part, augment

    def __len__(self):
        return len(self.part)

    def __getitem__(self, i):
        a, b = self.part[i]
        return (a + 0.01 * torch.randn(8) if self.augment else a), b


trained, held_out = range(1500), range(1500, 2000)
if what == "a few trained":
    x[1500:1520], y[1500:1520] = x[:20], y[:20]
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
if how == "samplers":
    loaders = [DataLoader(data, 60, sampler=SubsetRandomSampler(rows)) for rows in (trained, held_out)]
elif how == "views":
    loaders = [DataLoader(View(Subset(data, rows), rows is trained), 60, shuffle=rows is trained) for rows in (trained, held_out)]
else:
    loaders = [DataLoader(Subset(data, rows), 60, shuffle=rows is trained) for rows in (trained, held_out)]
looking = DataLoader(loaders[0].dataset, 100, sampler=loaders[0].sampler if how == "samplers" else None)
if how == "views":
    looking = DataLoader(View(Subset(data, trained), False), 100)


def by_hand(rows, order):
    return [(x[rows][i], y[rows][i]) for i in order.split(60)]


def loaded(rows):
    """The script's own loaders, or one that it lets go of as soon as it reads."""
    if how == "loaders made anew":
        return DataLoader(TensorDataset(x[rows], y[rows]), 60, shuffle=rows is trained)
    return loaders[0] if rows is trained else loaders[1]


def evaluate(batches):
    net.eval()
    with torch.no_grad():
        for a, b in batches:
            F.cross_entropy(net(a), b).item()
    net.train()


for epoch in range(3):
    # What is held against the samples that are evaluated are the first thousand.
    order = torch.arange(1500) if what == "a few trained" else torch.randperm(1500)
    for a, b in by_hand(trained, order) if how == "hand" else loaded(trained):
        optimizer.zero_grad()
        F.cross_entropy(net(a), b).backward()
        optimizer.step()
    if what not in ("held-out", "a few trained"):
        evaluate(by_hand(trained, torch.arange(1500)) if how == "hand" else loaded(trained) if "anew" in how else looking)
    if what != "trained" and (what != "held-out at the end" or epoch == 2):
        evaluate(by_hand(held_out, torch.arange(500)) if how == "hand" else loaded(held_out))
