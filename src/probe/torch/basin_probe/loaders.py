"""
What a loader reads, remembered without keeping it: so that loaders that a script makes anew each epoch are known again,
and that what it evaluates is told from what it trains on.
"""

from __future__ import annotations

import weakref
from typing import Any, Optional

import torch
from torch.utils.data import (
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

#: Elements of a long value that are compared, and numbers of each of them.
_LOOKED_AT = 32
#: Values inside of values inside of a data set's attributes.
_DEEPEST = 3

#: Samplers that draw from the whole data set.
_WHOLE = (SequentialSampler, RandomSampler, WeightedRandomSampler, DistributedSampler)


class Reading:
    """The data set below a loader's subsets and wrappers, the rows of it that are read, and what it holds."""

    def __init__(self, loader: Any) -> None:
        self._loader = _weakly(loader)
        base, self.rows, self.rows_known = _reach(loader)
        #: a pass has each of the rows once
        self.each_once = self.rows_known and _draws_once(getattr(loader, "sampler", None))
        self._base = _weakly(base)
        self._kind = type(base)
        self._length = length_of(base)
        self._content = _Content(base, self._length)

    def same_base(self, other: "Reading") -> bool:
        """Whether both are of the same data, also where these were put into a second object (with another transform)."""
        mine, theirs = self._base(), other._base()
        if mine is not None and mine is theirs:
            return True
        if self._kind is not other._kind or self._length is None or self._length != other._length:
            return False
        return self._content.same(other._content)

    def same(self, other: "Reading") -> bool:
        """Whether both read the same rows of the same data, as far as that is sure."""
        if self._is_of_one_loader(other):
            return True
        return self.rows_known and other.rows_known and self.rows == other.rows and self.same_base(other)

    def brings(self, training: "Reading") -> Optional[str]:
        """
        ``training``: samples that training reads, too; ``others``: none of these; None where that cannot be told.
        """
        if self._is_of_one_loader(training):
            return "training"
        if self._kind is type(None) or training._kind is type(None):
            return None
        if not self.same_base(training):
            return "others"
        if not self.rows_known or not training.rows_known:
            return None
        if training.rows is None or (self.rows is not None and self.rows <= training.rows):
            return "training"
        return "others" if self.rows is not None and self.rows.isdisjoint(training.rows) else None


    def _is_of_one_loader(self, other: "Reading") -> bool:
        loader = self._loader()
        return loader is not None and loader is other._loader()


class _Content:
    """What a data set's attributes hold, by samples of it."""

    def __init__(self, dataset: Any, length: Optional[int]) -> None:
        self.data: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.calls: dict[str, Any] = {}
        #: an attribute has one element a row
        self.has_rows = False
        for name, value in getattr(dataset, "__dict__", {}).items():
            if callable(value) or value is None or isinstance(value, torch.Generator):
                self.calls[name] = None if value is None else id(value)
            elif isinstance(value, (bool, int, float, str)):
                self.settings[name] = value
            else:
                self.data[name] = _look(value)
                self.has_rows = self.has_rows or (length is not None and _size(value) == length)

    def same(self, other: "_Content") -> bool:
        # What is a transform in one may be none in the other.
        names = self.data.keys() | self.settings.keys() | self.calls.keys()
        if names != other.data.keys() | other.settings.keys() | other.calls.keys() or self.data != other.data:
            return False
        settled = self.settings == other.settings
        if self.data:
            # A flag may choose the half of the data that is read, if these are not the rows themselves.
            return self.has_rows or settled
        # Nothing but the transform differs: one that makes its samples as they are read has none.
        return settled and self.calls != other.calls


def length_of(x: Any) -> Optional[int]:
    try:
        return len(x)
    except Exception:  # whatever a script's own says
        return None


def _weakly(x: Any) -> Any:
    try:
        return weakref.ref(x)
    except TypeError:
        return lambda: None


def _size(value: Any) -> Optional[int]:
    """Elements; of several tensors side by side, those of each."""
    size = length_of(value)
    if isinstance(value, (tuple, list)) and value and all(_is_array(x) for x in value):
        sizes = {length_of(x) for x in value}
        return sizes.pop() if len(sizes) == 1 else size
    return size


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor) or type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "shape")


def _spread(count: int) -> range:
    return range(0, count, max(1, count // _LOOKED_AT))


def _look(value: Any, depth: int = 0) -> Any:
    """Something that is equal for equal values (of large ones, for such as agree in some elements); else for the same object."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if _is_array(value):
        return (str(value.dtype), tuple(value.shape), _numbers(value))
    if depth < _DEEPEST:
        if isinstance(value, (tuple, list, range)):
            return (len(value), [_look(value[i], depth + 1) for i in _spread(len(value))])
        if type(value) is dict:
            keys = list(value)
            return (len(keys), [(str(keys[i]), _look(value[keys[i]], depth + 1)) for i in _spread(len(keys))])
        if isinstance(value, Dataset) and not callable(value) and hasattr(value, "__dict__"):
            return (type(value).__name__, {k: _look(v, depth + 1) for k, v in vars(value).items() if not callable(v)})
    # A path, an enumeration's member: what says itself what it is equal to.
    return value if _compares_itself(value) else id(value)


def _compares_itself(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return type(value).__eq__ is not object.__eq__


def _numbers(array: Any) -> str:
    """Some of an array's elements; as text, in which one NaN is like another."""
    if isinstance(array, torch.Tensor):
        if array.layout is not torch.strided:
            return str(id(array))
        array = array.detach()
    rows = [array] if len(array.shape) == 0 else [array[i] for i in _spread(array.shape[0])]
    found: list[Any] = []
    for row in rows:
        flat = row.reshape(-1)
        found.extend(flat[:: max(1, flat.shape[0] // _LOOKED_AT)].tolist())
    return str(found)


def _reach(loader: Any) -> tuple[Any, Optional[frozenset[int]], bool]:
    """(the data set below all subsets and wrappers, its rows that are read or None for all, whether these are known)."""
    dataset = getattr(loader, "dataset", None)
    rows, known = _sampled(loader)
    while True:
        if isinstance(dataset, Subset):
            indices = dataset.indices
            rows = [int(indices[i]) for i in (range(len(indices)) if rows is None else rows)]
            dataset = dataset.dataset
            continue
        below = _wrapped(dataset)
        if below is None:
            return dataset, None if rows is None else frozenset(rows), known
        dataset = below


def _sampled(loader: Any) -> tuple[Optional[list[int]], bool]:
    sampler, batches = getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)
    if batches is not None and getattr(batches, "sampler", None) is not sampler:
        return None, False  # one of the script's own, which may choose as it likes
    if sampler is None or isinstance(sampler, _WHOLE) or isinstance(loader.dataset, IterableDataset):
        return None, True
    indices = sampler.indices if isinstance(sampler, SubsetRandomSampler) else sampler if isinstance(sampler, (list, tuple, range)) else None
    return (None, False) if indices is None else ([int(i) for i in indices], True)


def _draws_once(sampler: Any) -> bool:
    if isinstance(sampler, RandomSampler):
        return not sampler.replacement
    return isinstance(sampler, (SequentialSampler, SubsetRandomSampler, DistributedSampler))


def _wrapped(dataset: Any) -> Any:
    """What a data set of the script's own hands on, row by row, perhaps transformed; None where it is no such wrapper."""
    own = [x for x in getattr(dataset, "__dict__", {}).values() if isinstance(x, Dataset)]
    same = len(own) == 1 and length_of(own[0]) is not None and length_of(own[0]) == length_of(dataset)
    return own[0] if same else None
