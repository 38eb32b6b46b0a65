"""Trains a small digit classifier: two hidden layers, SGD with momentum. The same as ../digits/train.mjs."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from digits import load_digits

SEED = 7
EPOCHS = 10


def he_normal(layer):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def evaluate(model, loader):
    """(mean loss, accuracy)"""
    model.eval()
    loss = right = count = 0
    for images, labels in loader:
        logits = model(images)
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        right += (logits.argmax(1) == labels).sum().item()
        count += len(labels)
    return loss / count, right / count


def main():
    torch.manual_seed(SEED)
    train, held_out = load_digits(SEED)
    loader = DataLoader(TensorDataset(*train), batch_size=64)  # load_digits has shuffled them, by a seed
    held_out_loader = DataLoader(TensorDataset(*held_out), batch_size=500)
    model = nn.Sequential(
        he_normal(nn.Linear(784, 256)),
        nn.ReLU(),
        he_normal(nn.Linear(256, 128)),
        nn.ReLU(),
        he_normal(nn.Linear(128, 10)),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    for epoch in range(EPOCHS):
        model.train()
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        held_out_loss, accuracy = evaluate(model, held_out_loader)
        print(
            f"epoch {epoch + 1}/{EPOCHS}: loss {total / len(train[1]):.4f}, held out {held_out_loss:.4f}, {accuracy:.4f}"
        )
    print(f"accuracy on {len(held_out[1])} held-out digits: {accuracy * 100:.2f} %")


if __name__ == "__main__":
    main()
