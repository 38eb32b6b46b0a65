"""Full-batch gradient descent at the edge of stability: edge_of_stability.py LEARNING_RATE STEPS"""

import sys

import torch
from small_digits import small_digits

rate, steps = float(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(1)
x, labels = small_digits(500)
y = torch.nn.functional.one_hot(labels, 10).float()
model = torch.nn.Sequential(
    torch.nn.Linear(64, 40), torch.nn.Tanh(), torch.nn.Linear(40, 40), torch.nn.Tanh(), torch.nn.Linear(40, 10)
)
for layer in model:
    if isinstance(layer, torch.nn.Linear):
        torch.nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        torch.nn.init.zeros_(layer.bias)
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
for step in range(steps):
    optimizer.zero_grad()
    loss = 0.5 * (model(x) - y).square().sum(1).mean()
    loss.backward()
    optimizer.step()
print(loss.item())
