"""
Which pass over the training data a step belongs to. What a script looks at without training on it, and loaders that it
makes anew for each pass, change nothing in that.
"""

from __future__ import annotations

from typing import Any, Optional

from .loaders import Reading, length_of


class Pass:
    """One iteration over a loader."""

    def __init__(self, loader: Any) -> None:
        self.reading = Reading(loader)
        #: batches of a whole one; None where that is not known
        self.length = length_of(loader)
        self.brought = 0
        self.epoch: Optional[int] = None

    @property
    def counts(self) -> bool:
        """False of ``next(iter(loader))``, which goes over nothing."""
        return self.brought > 1 or self.length is None or self.length <= 1

    @property
    def was_whole(self) -> bool:
        """Whether it has brought each sample of its data."""
        return self.reading.each_once and self.length is not None and self.brought >= self.length


class Epochs:
    """Passes that steps have taken their data from, counted from 0 for each data set."""

    def __init__(self) -> None:
        self._latest: list[Pass] = []

    def of(self, this: Pass) -> int:
        """The epoch of a step whose data came with this pass."""
        if this.epoch is None:
            place = next((i for i, p in enumerate(self._latest) if p.reading.same(this.reading)), None)
            if place is None:
                this.epoch = 0
                self._latest.append(this)
            else:
                last = self._latest[place]
                assert last.epoch is not None
                this.epoch = last.epoch + 1 if last.counts else last.epoch
                self._latest[place] = this
        return this.epoch
