"""Two optimizers step by one backward pass, the second but every other time, and one of them is made anew on the way."""
import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
head = nn.Linear(16, 3)
first = torch.optim.SGD(encoder.parameters(), 0.1, momentum=0.9)
second = torch.optim.AdamW(head.parameters(), 1e-2)
loss_function = nn.CrossEntropyLoss()
for step in range(8):
    if step == 5:
        second = torch.optim.AdamW(head.parameters(), 1e-2)
    x, y = torch.randn(32, 4), torch.randint(0, 3, (32,))
    first.zero_grad()
    second.zero_grad()
    loss_function(head(encoder(x)), y).backward()
    first.step()
    if step % 2 == 0:
        second.step()
