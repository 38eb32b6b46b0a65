"""Whether a loader brings what training reads, or other data: by its data set and, where one is split, by its indices."""

from __future__ import annotations

from typing import Any, Optional

from torch.utils.data import Subset, SubsetRandomSampler


def brings(loader: Any, training: Any) -> Optional[str]:
    """
    ``training``: samples that the training loader has, too; ``others``: none of these; None where that cannot be told.
    """
    if loader is None or training is None:
        return None
    if loader is training:
        return "training"
    (mine, rows), (theirs, trained) = _reach(loader), _reach(training)
    if mine is None or theirs is None:
        return None
    if mine is not theirs:
        return "others"
    if trained is None or (rows is not None and rows <= trained):
        return "training"
    return "others" if rows is not None and rows.isdisjoint(trained) else None


def _reach(loader: Any) -> tuple[Any, Optional[frozenset[int]]]:
    """(the data set below all subsets, its rows that are read or None for all)."""
    dataset = getattr(loader, "dataset", None)
    sampler = getattr(loader, "sampler", None)
    rows = list(map(int, sampler.indices)) if isinstance(sampler, SubsetRandomSampler) else None
    while isinstance(dataset, Subset):
        indices = dataset.indices
        rows = [int(indices[i]) for i in (range(len(indices)) if rows is None else rows)]
        dataset = dataset.dataset
    return dataset, None if rows is None else frozenset(rows)
