"""What the script's loaders bring: which pass a step's data came with, and what of it is trained on."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Optional

import torch

from .epochs import Epochs, Pass
from .loaders import Reading
from .structures import tensor_paths
from .tape import Recorder


class Loading:
    """Told of each loader that is gone over, and of each batch."""

    def __init__(self, recorder: Recorder) -> None:
        """:param recorder: which marks the latest batches' tensors, so that a tape knows them as data"""
        self._recorder = recorder
        self._passes: "weakref.WeakKeyDictionary[Any, Pass]" = weakref.WeakKeyDictionary()
        #: of the latest batch that is trained on
        self._loader: Optional["weakref.ref[Any]"] = None
        self._batch_samples: Optional[int] = None
        #: that batch's pass
        self.present: Optional[Pass] = None
        self._epochs = Epochs()
        #: (fields, id of the loader, number of the batch) of the latest batches
        self._recent: "deque[tuple[list[torch.Tensor], int, int]]" = deque(maxlen=2)
        self._loaded = 0
        #: what the loader of the first step reads, and the fields of its batch
        self._trained_data: Optional[Reading] = None
        self.like: Optional[list[torch.Tensor]] = None
        #: what loaders bring (loaders.py), and by id those that bring what training reads
        self._brought: "weakref.WeakKeyDictionary[Any, Optional[str]]" = weakref.WeakKeyDictionary()
        self.trained_by: set[int] = set()

    def started(self, loader: Any) -> None:
        self._passes[loader] = Pass(loader)

    def arrived(self, loader: Any, batch: Any, evaluates: bool) -> list[torch.Tensor]:
        """
        :param loader: None for a batch that no loader brought
        :param evaluates: whether the script is in a validation pass
        :return: the batch's tensors
        """
        fields = [t for _, t in tensor_paths(batch)]
        this = None if loader is None else self._passes.get(loader)
        if this is not None:
            this.brought += 1
        if not evaluates:
            self._loader, self.present = None if loader is None else weakref.ref(loader), this
            self._batch_samples = int(fields[0].shape[0]) if fields and fields[0].dim() > 0 else None
        return fields

    def brings(self, loader: Any) -> Optional[str]:
        """What a loader reads beside what training reads (:meth:`Reading.brings`); None where that is not known."""
        if loader is None or self._trained_data is None:
            return None
        if loader not in self._brought:
            this = self._passes.get(loader)
            what = None if this is None else this.reading.brings(self._trained_data)
            self._brought[loader] = what
            (self.trained_by.add if what == "training" else self.trained_by.discard)(id(loader))
        return self._brought[loader]

    def training_begins(self) -> None:
        """At the first step: the latest batch is one of training."""
        self._trained_data = None if self.present is None else self.present.reading
        loader = self.loader()
        if loader is not None:  # else one that the script has let go of already
            self.trained_by.add(id(loader))
        self.like = [t.detach() for t in self._recent[-1][0]] if self._recent else None

    def loader(self) -> Optional[Any]:
        """That of the latest batch that is trained on, while the script has it."""
        return None if self._loader is None else self._loader()

    # ---- as a tape knows them -------------------------------------------------------------------------------------
    def keep(self, fields: list[torch.Tensor], loader: Any) -> None:
        """Marks a batch's tensors for the tape that is open, and for the next ones."""
        self._loaded += 1
        self._recent.append((fields, id(loader), self._loaded))
        self._tag(*self._recent[-1])

    def tag_again(self) -> None:
        """For a tape that begins: the latest batches may be its data."""
        for recent in self._recent:
            self._tag(*recent)

    def forget(self) -> None:
        """Once no tape is wanted: batches are the script's alone again."""
        self._recent.clear()

    def _tag(self, fields: list[torch.Tensor], loader: int, number: int) -> None:
        for i, t in enumerate(fields):
            self._recorder.tag(t, ("batch", i, loader, number))

    # ---- of a step ------------------------------------------------------------------------------------------------
    def epoch_and_samples(self, by_rows: bool, counted: Optional[int]) -> tuple[Optional[int], Optional[int]]:
        """
        Of the step that the latest batch led to.

        :param by_rows: whether a batch has a row for each sample
        :param counted: samples as the tape counts them, else
        """
        if self.present is None:
            return None, counted
        return self._epochs.of(self.present), self._batch_samples if by_rows else counted

    def comes_again(self, first: Optional[Pass]) -> bool:
        """Whether the latest batch's samples were there before, perhaps augmented otherwise, in a first whole pass."""
        this = self.present
        return first is not None and this is not None and this is not first and first.was_whole and first.reading.same(this.reading)
