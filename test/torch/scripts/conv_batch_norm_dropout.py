"""A convolutional net with batch norm and dropout, augmentation, a schedule, evaluation between epochs."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(256, 1, 12, 12), torch.randint(0, 4, (256,))
loader = DataLoader(TensorDataset(x[:192], y[:192]), 32, shuffle=True)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
    nn.Flatten(), nn.Dropout(0.25), nn.Linear(64, 4),
)  # fmt: skip
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)
for _ in range(2):
    net.train()
    for images, labels in loader:
        images, labels = images.to("cpu"), labels.to("cpu")
        images = images + 0.1 * torch.randn_like(images)
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    schedule.step()
    net.eval()
    with torch.no_grad():
        held_out = F.cross_entropy(net(x[192:]), y[192:])
