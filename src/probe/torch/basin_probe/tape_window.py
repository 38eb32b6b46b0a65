"""When every call of the script is watched for a tape: while a step is to come whose tape somebody wants."""

from __future__ import annotations

import threading
import weakref
from typing import Callable

from .course import Course
from .interception import Interception, Optimizer
from .loading import Loading

#: Entries after which a tape that nobody takes is dropped.
_LONGEST_TAPE = 2000
#: An optimizer that has not stepped while others stepped so often is a shell around another one.
_SHELL_AFTER = 3


class TapeWindow:
    """Opens and closes the interception's window."""

    def __init__(self, interception: Interception, loading: Loading, courses: list[Course]) -> None:
        """:param courses: the probe's own list, which grows"""
        self._interception = interception
        self._loading = loading
        self._courses = courses
        #: no tape is wanted any more
        self.over = False
        #: steps of all objectives
        self._steps = 0
        self._stepped: "weakref.WeakSet[Optimizer]" = weakref.WeakSet()
        #: optimizers of weights that are new, which have not stepped yet: how many steps there were before
        self._awaited: "weakref.WeakKeyDictionary[Optimizer, int]" = weakref.WeakKeyDictionary()

    @property
    def wanted(self) -> bool:
        if self.over or not self._interception.enabled:
            return False
        return not self._courses or any(c.wants_tape() for c in self._courses) or any(self._is_awaited(o) for o in self._awaited)

    def optimizer_made(self, optimizer: Optimizer, of_new_weights: bool) -> None:
        if of_new_weights:
            self._awaited[optimizer] = self._steps
        if self._interception.is_open:
            self.begin_anew()  # what led up to it is no part of any loss
        else:
            self.open_if_wanted()

    def optimizer_begins(self, optimizer: Optimizer) -> None:
        self._awaited.pop(optimizer, None)

    def optimizer_stepped(self, optimizer: Optimizer) -> None:
        self._stepped.add(optimizer)

    def step_recorded(self) -> None:
        self._steps += 1

    def open_if_wanted(self) -> None:
        if not self._interception.is_open and self.wanted:
            self._interception.open()

    def begin_anew(self) -> None:
        """An empty tape, which knows the latest batches."""
        self._interception.recorder.reset()
        self._loading.tag_again()

    def tend(self, has_course: Callable[[Optimizer], bool], validating: bool, manual: bool = False) -> None:
        """
        Between steps: goes on recording with an empty tape, keeps what another optimizer still needs, or stops.

        :param has_course: whether an optimizer moves an objective that is known
        :param validating: whether a validation pass looks at calls as well
        :param manual: the script updates by hand: no optimizer is waited for
        """
        interception = self._interception
        if not self.wanted:
            if interception.is_open and not validating:
                interception.close()
                self._loading.forget()
            return
        if not interception.is_open:
            interception.open()
            self._loading.tag_again()
            return
        if interception.recorder.thread != threading.get_ident():
            interception.open()
            return
        live = interception.live_optimizers()
        waiting = [o for o in live if o not in self._stepped and (has_course(o) or self._is_awaited(o))]
        if manual or not waiting or len(interception.recorder.entries) > _LONGEST_TAPE:
            self.begin_anew()
            self._stepped.clear()

    def _is_awaited(self, optimizer: Optimizer) -> bool:
        """Whether its first step is to come."""
        return optimizer in self._awaited and self._steps - self._awaited[optimizer] < _SHELL_AFTER
