"""
Optimizers that move their weights by the same backward passes (Muon for matrices and AdamW for the rest, one for the
encoder and one for the head): they take one step together, and the objective is over the weights of all of them.
"""

from __future__ import annotations

import weakref
from typing import Callable, Optional, Sequence

import torch

from .groups import Group

Optimizer = torch.optim.Optimizer


class FirstStep:
    """
    An optimizer's first step, when its backward passes reached other optimizers too. Whether those move by them as
    well (a shared loss) or zero them (a GAN's opponent) shows before it steps again; until then nothing is recorded.
    """

    def __init__(self, optimizer: Optimizer, group: Group) -> None:
        self._optimizers = [weakref.ref(optimizer)]
        self._group = group

    def of(self, optimizer: Optimizer) -> bool:
        return any(r() is optimizer for r in self._optimizers)

    def joins(self, optimizer: Optimizer, group: Group) -> bool:
        """Call at the start of another optimizer's step: takes it in when the same backward passes led to it."""
        if self.of(optimizer) or not group.shares(self._group):
            return False
        self._optimizers.append(weakref.ref(optimizer))
        return True

    def optimizers(self) -> list[Optimizer]:
        found = [r() for r in self._optimizers]
        return [o for o in found if o is not None]


class Team:
    """The optimizers of one objective; of most there is one."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        #: each with what it trains, which stays known when a script has dropped it to make another one
        self._members = [(weakref.ref(o), trained(o)) for o in optimizers]
        #: the backward passes of the step under way
        self._under_way: Optional[Group] = None
        self._moved: "weakref.WeakSet[Optimizer]" = weakref.WeakSet()

    def members(self) -> list[Optimizer]:
        found = [r() for r, _ in self._members]
        return [o for o in found if o is not None]

    def replaces(self, optimizer: Optimizer) -> bool:
        """Whether it was made anew for the weights of a member, whose place it has then."""
        wanted = trained(optimizer)
        for i, (_, known) in enumerate(self._members):
            if known == wanted:
                self._members[i] = (weakref.ref(optimizer), known)
                return True
        return False

    def replace_all(self, optimizer: Optimizer) -> None:
        self._members = [(weakref.ref(optimizer), trained(optimizer))]

    def begins(self, optimizer: Optimizer, group: Group) -> bool:
        """Call before a member moves; False when it moves in the step that is under way."""
        if self.unfinished and self.shares(optimizer, group):
            return False
        self._under_way = group
        self._moved.clear()
        return True

    def shares(self, optimizer: Optimizer, group: Group) -> bool:
        """Whether a member that has not moved yet moves by the backward passes of the step under way."""
        return self._under_way is not None and optimizer not in self._moved and group.shares(self._under_way)

    @property
    def unfinished(self) -> bool:
        """Whether a member has moved and one that it waited for has not."""
        return self._under_way is not None and len(self._moved) > 0

    def ends(self, optimizer: Optimizer, group_of: Callable[[Optimizer], Group]) -> bool:
        """Call when a member has moved; whether the step is over, or others move by the same backward passes yet."""
        self._moved.add(optimizer)
        waits = any(self.shares(o, group_of(o)) for o in self.members())
        if not waits:
            self._under_way = None
            self._moved.clear()
        return not waits


def trained(optimizer: Optimizer) -> set[int]:
    """Which tensors it moves, by identity."""
    return {id(p) for p in parameters_of(optimizer) if p.requires_grad}


def unique(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Each object once, in their order."""
    return list({id(t): t for t in tensors}.values())


def parameters_of(optimizer: Optimizer) -> list[torch.Tensor]:
    """All that an optimizer moves, each once, in the order of its groups."""
    return unique([p for group in optimizer.param_groups for p in group["params"]])
