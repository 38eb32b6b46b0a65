"""No module at all."""
import torch

torch.manual_seed(0)
w1 = torch.randn(6, 32).mul_(0.3).requires_grad_()
b1 = torch.zeros(32, requires_grad=True)
w2 = torch.randn(32, 1).mul_(0.3).requires_grad_()
optimizer = torch.optim.SGD([w1, b1, w2], lr=0.05)
for _ in range(6):
    x = torch.randn(32, 6)
    prediction = (torch.relu(x @ w1 + b1) @ w2)[:, 0]
    loss = ((prediction - x.sum(1)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
