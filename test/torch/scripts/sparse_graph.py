"""Nodes of a sparse graph with complex features, some of them labelled; the graph is data and a buffer."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
nodes = 60
labels = torch.arange(nodes) % 3
features = torch.randn(nodes, 4, dtype=torch.complex64) + labels[:, None]
edges = (torch.rand(nodes, nodes) < 0.1).float() + torch.eye(nodes)
graph = (edges / edges.sum(1, keepdim=True)).to_sparse()
train = torch.randperm(nodes)[:30]


class GraphNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 12), nn.Linear(12, 3)
        self.register_buffer("own", graph, persistent=False)

    def forward(self, x, edges):
        x = torch.view_as_real(x).flatten(1)
        x = F.dropout(torch.relu(torch.sparse.mm(edges, self.first(x))), 0.5, self.training)
        return torch.sparse.mm(self.own, self.second(x))


net = GraphNetwork()
optimizer = torch.optim.Adam(net.parameters(), 0.05)
for _ in range(8):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(features, graph)[train], labels[train])
    loss.backward()
    optimizer.step()
    print(loss.item())
