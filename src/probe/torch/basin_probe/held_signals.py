"""
The script's signal handlers wait while the probe is at work: what they raise would leave that half done, and what they
look at (a checkpoint of the weights, say) would be the probe's and not the script's.
"""

from __future__ import annotations

import _signal  # signal.getsignal makes enums of what it gives, at a hundred times the cost
import contextlib
import signal
import sys
import threading
from types import FrameType
from typing import Any, Callable, Iterator, Optional

from .guard import FromSignal

_Handler = Callable[[int, Optional[FrameType]], Any]
_ALL = [int(number) for number in signal.valid_signals()]
#: They come by themselves, and again and again: nobody means to interrupt anything by them.
_UNMEANT = {
    int(getattr(signal, name))
    for name in ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGCHLD", "SIGWINCH", "SIGCONT", "SIGURG", "SIGIO")
    if hasattr(signal, name)
}


class HeldSignals:
    """
    A context, which may be entered again inside of itself: handlers run when the outermost one ends, in the order in
    which their signals came. What they raise comes out there: an ``Exception`` as :class:`FromSignal`, others as they are.

    Python runs handlers in its main thread alone: in another one there is nothing to hold.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._handlers: dict[int, _Handler] = {}
        self._tell: list[Callable[[bool], None]] = []
        #: signals whose handlers wait
        self.came: list[int] = []

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth += 1
        if self._depth > 1:
            return
        self._handlers.clear()
        for number in _ALL:
            handler = _signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                _signal.signal(number, self._note)

    def __exit__(self, *raised: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth -= 1
        if self._depth > 0:
            return
        for number, handler in self._handlers.items():
            if _signal.getsignal(number) == self._note:  # else the script has another one by now
                _signal.signal(number, handler)
        self.deliver()

    @contextlib.contextmanager
    def telling(self, tell: Callable[[bool], None]) -> Iterator[None]:
        """
        The same, and ``tell`` is called when a signal comes, with whether someone means to interrupt by it.

        :param tell: must be safe in the midst of anything
        """
        with self:
            self._tell.append(tell)
            try:
                yield
            finally:
                self._tell.remove(tell)

    def deliver(self) -> None:
        """Runs the handlers that wait, here and now; all of them, also where one raises."""
        if not self.came:
            return
        number = self.came.pop(0)
        try:
            self._handlers[number](number, sys._getframe())
        except Exception as error:
            raise FromSignal(error) from None
        finally:
            self.deliver()

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        if self._depth == 0:
            # Whoever set a handler meanwhile may have put this one in its chain.
            self._handlers[number](number, frame)
            return
        if number not in self.came:
            self.came.append(number)
        for tell in self._tell:
            tell(number not in _UNMEANT)
