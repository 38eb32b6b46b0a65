"""A ReLU network 64-32-32-10 on digits, trained by Adam: relu_digits.py [batch size]"""

import sys

import torch
from small_digits import small_digits

torch.manual_seed(1)
x, y = small_digits(1200)
model = torch.nn.Sequential(
    torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
)
for layer in model:
    if isinstance(layer, torch.nn.Linear):
        torch.nn.init.xavier_uniform_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
batch_size = int(sys.argv[1]) if len(sys.argv) > 1 else 64
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size)
for epoch in range(40):
    for inputs, labels in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
