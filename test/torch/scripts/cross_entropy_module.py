"""The plainest loop: a loader, a criterion module, SGD with momentum, held-out data in a second loader."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 64)
        self.out = nn.Linear(64, 5)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


def main():
    torch.manual_seed(0)
    x = torch.randn(640, 20)
    train, held_out = random_split(TensorDataset(x, x[:, :5].argmax(1)), [512, 128])
    loader = DataLoader(train, batch_size=64, shuffle=True)
    test_loader = DataLoader(held_out, batch_size=64)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        net.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = sum((net(a).argmax(1) == b).sum().item() for a, b in test_loader)
    return net, right


if __name__ == "__main__":
    net, _ = main()
