"""
Which backward passes make up an optimizer's step: those since its gradients were zeroed. Accumulation, GANs, closures
(LBFGS) and double passes (SAM) all follow from that.
"""

from __future__ import annotations

from typing import Any, Optional

import torch

from .program import Term
from .versions import version_of

#: Parameters whose gradients tell whether a backward pass reached the optimizer.
_WITNESSES = 3


class Group:
    """Backward passes towards one step."""

    def __init__(self) -> None:
        #: value of each backward pass; a tensor while it is still on an accelerator
        self.losses: list[Any] = []
        #: None when some pass was not on the tape
        self.terms: Optional[list[Term]] = []
        self.checks: list[Any] = []
        self.weights: Optional[tuple[int, torch.Tensor]] = None
        #: the same object for every optimizer that a backward pass reached
        self.passes: list[object] = []

    @classmethod
    def inside(cls, losses: list[Any]) -> "Group":
        """Of a step that is taken inside of a backward pass: its loss is that pass's, which no tape can replay."""
        group = cls()
        group.losses, group.terms = list(losses), None
        return group

    def shares(self, other: "Group") -> bool:
        """Whether the same backward passes reached both."""
        return len(self.passes) > 0 and self.passes == other.passes

    def loss(self) -> Any:
        """Their sum; a tensor while some are still on an accelerator, None without any."""
        return sum(self.losses[1:], self.losses[0]) if self.losses else None


class GroupTracker:
    """The backward passes of one optimizer."""

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self.parameters = parameters
        self.group = Group()
        self._witnesses: list[torch.Tensor] = []
        self._seen: dict[int, tuple[Any, int]] = {}
        self._locked = False

    def _watched(self) -> list[torch.Tensor]:
        return self._witnesses or self.parameters

    def before(self) -> tuple[dict[int, tuple[Any, int]], bool]:
        """Call before a backward pass: (gradients as they are, whether they have been zeroed since the last)."""
        state: dict[int, tuple[Any, int]] = {}
        fresh = True
        for p in self._watched():
            g = p.grad
            state[id(p)] = (g, -1 if g is None else version_of(g))
            if g is None or not fresh:
                continue
            last = self._seen.get(id(p))
            unchanged = last is not None and last[0] is g and last[1] == version_of(g)
            if unchanged or bool(g.detach().any()):
                fresh = False
        return state, fresh

    def after(
        self, before: dict[int, tuple[Any, int]], fresh: bool, losses: list[Any], terms: Optional[list[Term]], name: object
    ) -> bool:
        """Call behind it, with what is the backward pass's own; whether it reached this optimizer's parameters."""
        reached = []
        for p in self._watched():
            g = p.grad
            old, version = before[id(p)]
            if g is not None and (g is not old or version_of(g) != version):
                reached.append(p)
            self._seen[id(p)] = (g, -1 if g is None else version_of(g))
        if not reached:
            return False
        if not self._witnesses:
            self._witnesses = sorted(reached, key=lambda p: p.numel())[:_WITNESSES]
            self._seen = {id(p): self._seen[id(p)] for p in self._witnesses}
        if fresh:
            if self.group.losses and self._weights_moved():
                # The weights moved without a step (SAM's ascent, a line search): the step's loss is the first one.
                self._locked = True
            if self._locked:
                return True
            self.group = Group()
        elif self._locked:
            return True
        group = self.group
        if not group.losses:
            witness = self._witnesses[0]
            group.weights = (version_of(witness), witness.detach().clone())
        group.losses.extend(losses)
        group.passes.append(name)
        if terms is None or group.terms is None:
            group.terms = None
        else:
            group.terms.extend(terms)
        return True

    def _weights_moved(self) -> bool:
        return self.moved_since(self.group)

    def moved_since(self, group: Group) -> bool:
        """Whether weights are others than at the first backward pass of a group of this optimizer."""
        known = group.weights
        return known is not None and not torch.equal(self._witnesses[0].detach(), known[1])

    @property
    def locked(self) -> bool:
        return self._locked

    def take(self) -> Group:
        """The step's backward passes; the next ones belong to the next step."""
        group, self.group, self._locked = self.group, Group(), False
        return group
