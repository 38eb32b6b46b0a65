"""The sample's digits, 24 × 24 around the middle in means of 3 × 3: 64 inputs in [0, 1]."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "media/samples/digits-torch"))
from digits import load_digits  # noqa: E402


def small_digits(samples):
    (images, labels), _ = load_digits(1)
    pixels = images[:samples].view(-1, 1, 28, 28)[:, :, 2:26, 2:26]
    return torch.nn.functional.avg_pool2d(pixels, 3).flatten(1), labels[:samples]
