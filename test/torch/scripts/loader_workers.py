"""A loader with two worker processes that draw random numbers of their own."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __len__(self):
        return 256

    def __getitem__(self, i):
        x = torch.randn(10, generator=torch.Generator().manual_seed(i))
        return x + 0.1 * torch.randn(10), int(x[0] > 0)


def main():
    torch.manual_seed(0)
    net = nn.Linear(10, 2)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    loader = DataLoader(Noisy(), 32, shuffle=True, num_workers=2)
    for _ in range(1):
        for x, y in loader:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


if __name__ == "__main__":
    net = main()
