"""Data of many shapes: the argument says which. What is printed are the samples behind each step's loss; 0 where none are."""
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader

torch.manual_seed(0)
shape = sys.argv[1]


class Graph(nn.Module):
    """Sums over neighbours; a prediction for each node, or for each graph of a batch."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x, edges, graph=None):
        h = torch.relu(self.first(x.index_add(0, edges[1], x[edges[0]])))
        if graph is not None:
            h = torch.zeros(int(graph.max()) + 1, 8).index_add(0, graph, h)
        return self.second(h)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.out = nn.GRU(4, 6), nn.Linear(6, 2)

    def forward(self, packed):
        return self.out(self.cells(packed)[1][0])


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(11, 6), nn.Linear(6, 11)

    def forward(self, ids):
        return self.out(self.embedding(ids))


def several_graphs(_):
    counts = torch.randint(3, 9, (7,)).tolist()
    graph = torch.repeat_interleave(torch.arange(7), torch.tensor(counts))
    total = len(graph)
    return torch.randn(total, 5), torch.randint(total, (2, 3 * total)), graph, torch.randint(3, (7,))


def lengths():
    return [torch.randn(int(n), 4) for n in torch.randint(2, 9, (6,))]


nodes, edges = torch.randn(90, 5), torch.randint(90, (2, 300))
labels, known = torch.randint(3, (90,)), torch.arange(90) < 40
flat = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
field = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1))
square = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
net = {"one graph": Graph, "graphs": Graph, "loaded graphs": Graph, "packed": Recurrent, "tokens": Tokens}.get(
    shape, lambda: {"equation": field, "square state": square}.get(shape, flat)
)()
optimizer = torch.optim.SGD(net.parameters(), 0.05)
loader = iter(DataLoader(range(70), 7, collate_fn=several_graphs))


def step():
    """(loss, samples)"""
    if shape == "one graph":
        return F.cross_entropy(net(nodes, edges)[known], labels[known]), 40
    if shape in ("graphs", "loaded graphs"):
        x, between, graph, wanted = next(loader) if shape == "loaded graphs" else several_graphs(None)
        return F.cross_entropy(net(x, between, graph), wanted), 7
    if shape == "packed":
        return F.cross_entropy(net(pack_sequence(lengths(), enforce_sorted=False)), torch.randint(2, (6,))), 6
    if shape == "tokens":
        ids = torch.randint(11, (5, 9))
        return F.cross_entropy(net(ids[:, :-1]).reshape(-1, 11), ids[:, 1:].reshape(-1)), 5
    if shape == "state":
        action = torch.distributions.Categorical(logits=net(torch.randn(4)))
        return -action.log_prob(torch.tensor(1)) * 0.7, 1
    if shape == "square state":
        action = torch.distributions.Categorical(logits=net(torch.randn(3)))
        return -action.log_prob(torch.tensor(2)) * 0.7, 1
    if shape == "value":
        return (net(torch.randn(4))[0] - 0.3 * torch.ones(())) ** 2, 1
    if shape == "equation":
        inside, border = torch.rand(50, 2, requires_grad=True), torch.rand(16, 2)
        first = torch.autograd.grad(net(inside).sum(), inside, create_graph=True)[0]
        return (first.sum(1) ** 2).mean() + F.mse_loss(net(border), torch.zeros(16, 1)), 0
    x = torch.randn(12, 4)
    if shape == "penalty":
        start = torch.zeros_like(net[0].weight)
        return F.cross_entropy(net(x), torch.randint(2, (12,))) + F.mse_loss(net[0].weight, start), 12
    return (net(x) - torch.randn(12, 2)).pow(2).mean(), 12


for _ in range(6):
    optimizer.zero_grad()
    loss, samples = step()
    loss.backward()
    optimizer.step()
    print(samples)
