"""A trainer object that owns the loop and calls hooks of a module, as Lightning does."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 3))

    def training_step(self, batch):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Trainer:
    def fit(self, module, loader, epochs=2):
        self.module, self.optimizer = module, module.configure_optimizers()
        for _ in range(epochs):
            for batch in loader:
                self.optimizer.step(lambda: self.closure(batch))

    def closure(self, batch):
        loss = self.module.training_step(batch)
        self.optimizer.zero_grad()
        loss.backward()
        return loss


torch.manual_seed(0)
data = TensorDataset(torch.randn(256, 10), torch.randint(0, 3, (256,)))
classifier = Classifier()
Trainer().fit(classifier, DataLoader(data, 64, shuffle=True))
