"""
When a script looks at held-out data, so that these are gathered: its model in ``eval()``, a stretch without gradient, or
batches of another loader meanwhile. Of the first objective alone.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import nn

from .course import Course
from .interception import Interception
from .loading import Loading
from .tape import Entry
from .tape_window import TapeWindow

#: Points of a stretch without gradient in which there was no loss, or one of training samples; and from how many on it
#: is left alone.
_NOTHING, _LEFT_OUT, _FRUITLESS = 3, 1, 6
#: Entries of a pass without gradient behind which a loss, and from how many on any call, is where the tape is begun anew.
_LONG_PASS, _LONGEST_PASS = 200, 2000


class ValidationPasses:
    """Told where a pass may begin and end; hands what is computed in it to the course's validation gatherer."""

    def __init__(self, interception: Interception, loading: Loading, window: TapeWindow, courses: list[Course]) -> None:
        """:param courses: the probe's own list, which grows"""
        self._interception = interception
        self._loading = loading
        self._window = window
        self._courses = courses
        self.under_way = False
        #: the stretch without gradient that is looked at, outside of eval(); what was there before; whether it opened the tape
        self._site: Any = None
        self._site_before = (0, 0)
        self._site_opened = False
        #: by site: points for having brought nothing
        self._fruitless: dict[Any, int] = {}

    def evaluates(self) -> bool:
        """Whether the script is in such a pass now: no gradient, or its modules out of training."""
        if not self._courses:
            return False
        if not torch.is_grad_enabled():
            return True
        program = self._courses[0].objective.program
        return program is not None and bool(program.modules) and all(not m.training for m in program.modules)

    def loaded(self, fields: list[torch.Tensor]) -> None:
        """A batch of data that training does not read."""
        validation = self._courses[0].validation if self._courses else None
        if validation is not None and not validation.done:
            validation.from_loader(fields, self._loading.like)

    def mode_changed(self, module: nn.Module, training: bool) -> None:
        """A model that is put into evaluation mode may be about to go over held-out data."""
        course = self._courses[0] if self._courses else None
        if course is None or course.validation is None:
            return
        if training:
            self._end()
        elif not course.validation.done and not self.under_way and _is_root(course, module):
            self.under_way = True
            recorder = self._interception.recorder
            recorder.on_entry = self._entry
            if not self._interception.is_open:
                self._interception.open()

    def gradients_off(self, site: Any) -> None:
        """
        A stretch without gradient may be a look at held-out data by a script that knows no ``eval()``; and it may be
        anything else. Sites that have brought nothing are not looked at any more.
        """
        course = self._courses[0] if self._courses else None
        if course is None or course.validation is None or course.validation.done:
            self._interception.wants_no_grad = False
            return
        if self.under_way or not course.objective.train or self._fruitless.get(site, 0) >= _FRUITLESS:
            return
        if self._interception.recorder.thread != threading.get_ident():
            return
        self.under_way, self._site = True, site
        self._site_before = (course.validation.count, course.validation.left_out)
        course.validation.strict = True
        recorder = self._interception.recorder
        recorder.on_entry = self._entry
        # A step of training may be under way, whose tape goes on.
        self._site_opened = not self._interception.is_open
        if self._site_opened:
            self._interception.open()
            self._loading.tag_again()

    def gradients_on(self) -> None:
        """The end of that stretch."""
        if self._site is None or self._courses[0].validation is None:
            return
        validation = self._courses[0].validation
        kept, left_out = (now - before for now, before in zip((validation.count, validation.left_out), self._site_before))
        points = self._fruitless.get(self._site, 0)
        self._fruitless[self._site] = 0 if kept else points + (_LEFT_OUT if left_out else _NOTHING)
        opened = self._site_opened
        self._stop()
        if opened and not self._window.wanted:
            self._interception.close()
        elif opened:
            self._window.begin_anew()

    def _entry(self, entry: Entry) -> None:
        course = self._courses[0]
        validation = course.validation
        if validation is None:
            return
        recorder = self._interception.recorder
        if validation.from_tape(recorder, entry, self._loading.trained_by):
            if validation.done:
                self._end()
        elif validation.looks_trained:
            self._end()  # until the script's next pass
        elif not entry.grad and (self._site is None or self._site_opened):
            # Not between a forward pass and its loss.
            count = len(recorder.entries)
            if count > _LONGEST_PASS or (count > _LONG_PASS and validation.is_loss(entry)):
                recorder.entries.clear()

    def _end(self) -> None:
        if not self.under_way:
            return
        if self._site is not None:
            self.gradients_on()
            return
        self._stop()
        if self._window.wanted:
            self._window.begin_anew()
        else:
            self._interception.close()

    def _stop(self) -> None:
        self.under_way = False
        self._interception.recorder.on_entry = None
        validation = self._courses[0].validation
        if validation is not None:
            # Of a stretch without gradient that brought nothing it is not known that it was a pass over data.
            if self._site is None or (validation.count, validation.left_out) != self._site_before:
                validation.pass_ended()
            validation.strict = False
        self._site = None

    def training_goes_on(self) -> None:
        """A backward pass is about to be taken, which no validation pass has."""
        if self.under_way and torch.is_grad_enabled():
            self._stop()

    def over(self) -> None:
        """The script is."""
        self.under_way = False


def _is_root(course: Course, module: nn.Module) -> bool:
    """Whether a module has modules of the objective in it, or is one."""
    program = course.objective.program
    if program is None:
        return False
    held = {id(m) for m in module.modules()}
    return any(id(m) in held for m in program.modules)
