"""Standing still inside of training on a debugger's word (src/protocol/standing.ts): who drives, where to stop next."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional, Protocol

from .errors import BasinError
from .wire import Connection, Request

#: A stop that is shorter is not worth a line in the run's manifest.
_BRIEF_SECONDS = 0.3

#: The words that drive; every other request is answered at once.
DRIVING = ("pause", "proceed", "detach")


class Ground(Protocol):
    """What standing needs of the process."""

    def answer_until(self, done: Callable[[], bool], deadline: Optional[float]) -> None:
        """Answers whatever is asked; the deadline is on ``time.monotonic()``'s clock."""

    def show(self, state: str) -> None:
        """The run's state, ``paused`` or ``training``, for its manifest."""


class _Driver:
    def __init__(self, connection: Connection, objective: int) -> None:
        self.connection = connection
        self.objective = objective
        #: what people know it by
        self.name = "another debugger"
        self.when_gone = "continue"
        self.norms = self.layers = False


class Debuggee:
    """Called at every place where training may stand; :attr:`idle` says that nobody wants it to."""

    def __init__(self, ground: Ground, patience: Optional[float]) -> None:
        """
        :param patience: how long to stand before the first update until a debugger comes, in seconds; None: not at all
        """
        self.ground = ground
        self._patience = patience or 0.0
        #: whether anyone has ever taken the wheel: from then on a first stop is theirs to end
        self._met = False
        self.idle = patience is None
        self.standing: Optional[dict[str, Any]] = None
        self._entry = patience is not None
        self._driver: Optional[_Driver] = None
        self._pauses: list[Request] = []
        self._proceeding: Optional[Request] = None
        self._begun_in: Optional[int] = None
        self._epoch: Optional[int] = None
        #: whether the run's manifest says that it is paused
        self._shown = False
        #: of a script that is done: told to whoever asks to stand or to go on
        self._over: Optional[dict[str, Any]] = None
        #: its debugger disappeared from where it stood, and wanted it to stand until another one comes
        self._kept = False
        #: an exception of a signal has taken the script away from where its driver believes it to stand
        self._torn_away = False

    @property
    def driven(self) -> bool:
        """Whether a debugger has training in its hands, or is waited for."""
        return self._driver is not None or self._kept

    @property
    def driven_by(self) -> Optional[str]:
        """What people know the debugger by that has training in its hands."""
        return None if self._driver is None else self._driver.name

    @property
    def wants_norms(self) -> bool:
        return self._driver is not None and self._driver.norms

    @property
    def wants_layers(self) -> bool:
        """Whether each parameter's own numbers are to be recorded at every step as well."""
        return self._driver is not None and self._driver.layers

    def require_boundary(self) -> None:
        """:raises BasinError: ``not-allowed`` where weights must not be written"""
        if self.standing is None:
            raise BasinError("not-allowed", "Weights can be put back only while training stands still.", "Pause first.")
        if self.standing["place"] != "boundary":
            raise BasinError(
                "not-allowed",
                "The step is under way: its gradient would be applied to other weights.",
                "Let the update happen first (Step Over).",
            )

    def take(self, request: Request, objective: int) -> None:
        """
        One of :data:`DRIVING`; answered when training stands.

        :raises BasinError: ``busy`` where another client drives, ``bad-input`` where training is on its way already
        """
        if request.method == "detach":
            if self._driver is not None and self._driver.connection is request.connection:
                self._let_go()
            request.answer({})
            return
        driver = self._take_wheel(request.connection, objective)
        if request.method == "pause":
            driver.when_gone = request.params["whenGone"]
            driver.name = request.params.get("driver", driver.name)
            standing = self._over or self.standing
            if standing is not None:
                request.answer(standing)
            else:
                self._pauses.append(request)
                self.idle = False
            return
        if self._over is not None:
            request.answer(self._over)
            return
        if self.standing is None:
            raise BasinError("bad-input", "Training is on its way already.", "Pause it first.")
        request.params["target"]["place"]  # a request without one fails here, while it still can
        driver.when_gone = request.params["whenGone"]
        driver.norms = bool(request.params["norms"])
        driver.layers = bool(request.params.get("layers"))
        self._proceeding = request
        self._begun_in = self._epoch
        self.standing = None
        self.idle = False

    def left(self, connection: Connection) -> None:
        """A client has gone. Training that is on its way goes on; where it stands, as its driver wanted."""
        driver = self._driver
        if driver is None or driver.connection is not connection:
            return
        self._pauses.clear()
        stands = self.standing is not None or self._over is not None
        if not stands or driver.when_gone == "continue":
            self._let_go()
        else:
            self._driver = None
            self._kept = self.idle = True

    def reached(
        self,
        place: str,
        objective: int,
        step: int,
        epoch: Optional[int],
        values: Callable[[], Optional[dict[str, Any]]],
    ) -> float:
        """
        Training has come by a place; returns when it may go on.

        :param step: updates done
        :param epoch: that of the step under way
        :return: seconds that it stood
        """
        reason = self._reason(place, objective, step, epoch)
        if epoch is not None and (self._driver is None or self._driver.objective == objective):
            self._epoch = epoch
        if reason is None:
            return 0.0
        began = time.monotonic()
        alone = began + self._patience if reason == "entry" else None
        self.standing = {"reason": reason, "place": place, "step": step, "values": values()}
        self._tell(self.standing)

        def done() -> bool:
            forsaken = alone is not None and not self._met and time.monotonic() > alone
            return self.standing is None or forsaken

        try:
            self.ground.answer_until(done, began + _BRIEF_SECONDS)
            if not done():
                self._show("paused")
                self.ground.answer_until(done, None)
        except BaseException:
            # Ctrl+C, or what else a signal's handler raises: the script's own, which may catch it and train on.
            self._torn_away = self._driver is not None
            raise
        finally:
            if self._shown:
                self._show("training")
            self.standing = None
            self.idle = self._proceeding is None and not self._pauses and not self._torn_away
        return time.monotonic() - began

    def ended(self, step: int, values: Optional[dict[str, Any]], why: Optional[str]) -> None:
        """
        The script is over: whoever drives is told, and may ask on while the process is held.

        :param why: where it did not come to its end by itself
        """
        over: dict[str, Any] = {"reason": "ended", "place": "boundary", "step": step, "values": values}
        self._over = over if why is None else {**over, "why": why}
        self._tell(self._over)
        self.idle = True

    def restarted(self) -> dict[str, Any]:
        """Steps are counted from 0 from here on; where it stands now."""
        self.standing = {"reason": "pause", "place": "boundary", "step": 0, "values": None}
        self._show("paused")
        return self.standing

    def _show(self, state: str) -> None:
        self._shown = state == "paused"
        self.ground.show(state)

    def _reason(self, place: str, objective: int, step: int, epoch: Optional[int]) -> Optional[str]:
        if self._entry:
            self._entry = False
            return "entry"
        if self._pauses or self._torn_away:
            return "pause"
        if self._proceeding is None or self._driver is None or self._driver.objective != objective:
            return None
        target = self._proceeding.params["target"]
        if target.get("epoch"):
            return "epoch" if place == "gradient" and epoch is not None and epoch != self._begun_in else None
        at = target.get("step")
        if at is None:
            return None
        # An optimizer that takes its gradients itself (LBFGS) has no place inside of its steps: the next one counts.
        missed = target["place"] == "gradient" and place == "boundary" and step > at
        return "steps" if missed or (place == target["place"] and step >= at) else None

    def _tell(self, standing: dict[str, Any]) -> None:
        for request in self._pauses:
            request.answer(standing)
        self._pauses.clear()
        if self._proceeding is not None:
            self._proceeding.answer(standing)
        elif self._torn_away and self._driver is not None:
            self._driver.connection.notify("standing", standing)
        self._proceeding = None
        self._torn_away = False

    def _let_go(self) -> None:
        for request in self._pauses:
            request.fail(BasinError("cancelled", "Cancelled."))
        self._pauses.clear()
        self._driver = None
        self._kept = False
        self._proceeding = None
        self._torn_away = False
        self.standing = None
        self.idle = True

    def _take_wheel(self, connection: Connection, objective: int) -> _Driver:
        if self._driver is not None and self._driver.connection is not connection:
            raise BasinError(
                "busy",
                f"This process is driven by {self._driver.name} already.",
                "Go on in that session; or end it there (disconnected, it leaves the run training) and attach again.",
            )
        self._met = True
        self._kept = False
        if self._driver is None:
            self._driver = _Driver(connection, objective)
        return self._driver
