"""The first stop of a process that waits for its debugger: for how long, and whose it is once one has come."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src/probe/torch"))
from basin_probe import debuggee as module  # noqa: E402
from basin_probe.debuggee import Debuggee  # noqa: E402


class Stuck(Exception):
    """It waits, and nobody is going to come."""


class Word:
    """A request as the wire hands it over."""

    def __init__(self, method: str, connection: object, **params: Any) -> None:
        self.method, self.connection, self.params = method, connection, params

    def answer(self, result: Any) -> None:
        pass

    def fail(self, error: Any) -> None:
        pass


class Peer:
    """A client's connection: what it was told unasked."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def notify(self, method: str, params: Any) -> None:
        self.told.append((method, params))


class Simulation:
    """The clock's hands move only while the process waits, to what comes next; half a second where nothing does."""

    def __init__(self, events: list[tuple[float, Callable[[Debuggee], None]]]) -> None:
        self.events, self.now, self.shown = events, 0.0, []
        self.debuggee: Optional[Debuggee] = None

    def monotonic(self) -> float:
        return self.now

    def answer_until(self, done: Callable[[], bool], deadline: Optional[float]) -> None:
        while not done():
            if self.now > 3600:
                raise Stuck
            if deadline is not None and self.now >= deadline:
                return
            self.now += 0.5
            while self.events and self.events[0][0] <= self.now:
                self.events.pop(0)[1](self.debuggee)

    def show(self, state: str) -> None:
        self.shown.append((state, self.now))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Simulation]:
    def run(*events: tuple[float, Callable[[Debuggee], None]]) -> Simulation:
        simulation = Simulation(list(events))
        monkeypatch.setattr(module.time, "monotonic", simulation.monotonic)
        simulation.debuggee = Debuggee(simulation, 60.0)  # type: ignore[arg-type]
        simulation.debuggee.reached("gradient", 0, 0, 0, lambda: None)
        return simulation

    return run


CLIENT = object()


def comes(at: float, when_gone: str) -> tuple[float, Callable[[Debuggee], None]]:
    return at, lambda d: d.take(Word("pause", CLIENT, whenGone=when_gone), 0)  # type: ignore[arg-type]


def goes(at: float) -> tuple[float, Callable[[Debuggee], None]]:
    return at, lambda d: d.left(CLIENT)  # type: ignore[arg-type]


def proceeds(at: float) -> tuple[float, Callable[[Debuggee], None]]:
    word = Word("proceed", CLIENT, target={"place": "boundary"}, norms=False, whenGone="continue")
    return at, lambda d: d.take(word, 0)  # type: ignore[arg-type]


def test_trains_alone_when_none_has_come_for_a_minute(start: Callable[..., Simulation]) -> None:
    assert start().shown[-1] == ("training", 60.5)


def test_waits_for_its_debuggers_word(start: Callable[..., Simulation]) -> None:
    assert start(comes(10, "continue"), proceeds(600)).shown[-1] == ("training", 600)


@pytest.mark.parametrize("at", [20, 90])
def test_goes_on_when_its_debugger_is_gone_and_wanted_that(start: Callable[..., Simulation], at: float) -> None:
    assert start(comes(10, "continue"), goes(at)).shown[-1] == ("training", at)


@pytest.mark.parametrize("at", [20, 90])
def test_stays_for_the_next_one_where_its_debugger_wanted_that(start: Callable[..., Simulation], at: float) -> None:
    with pytest.raises(Stuck):
        start(comes(10, "hold"), goes(at))
    assert start(comes(10, "hold"), goes(at), comes(200, "hold"), proceeds(300)).shown[-1] == ("training", 300)


def interrupt(_: Debuggee) -> None:
    raise KeyboardInterrupt


def interrupted(monkeypatch: pytest.MonkeyPatch) -> tuple[Peer, Simulation, Debuggee]:
    """Its driver, and a process that Ctrl+C has taken away from where it stood."""
    peer = Peer()
    word = Word("pause", peer, whenGone="continue")
    simulation = Simulation([(1, lambda d: d.take(word, 0)), (5, interrupt)])  # type: ignore[arg-type]
    monkeypatch.setattr(module.time, "monotonic", simulation.monotonic)
    debuggee = simulation.debuggee = Debuggee(simulation, 60.0)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        debuggee.reached("gradient", 0, 4, 0, lambda: None)
    return peer, simulation, debuggee


def test_stands_again_and_says_so_when_ctrl_c_is_caught_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    peer, simulation, debuggee = interrupted(monkeypatch)
    assert debuggee.standing is None and not debuggee.idle
    on = Word("proceed", peer, target={"place": "boundary"}, norms=False, whenGone="continue")
    simulation.events.append((9, lambda d: d.take(on, 0)))  # type: ignore[arg-type]
    debuggee.reached("gradient", 0, 5, 0, lambda: None)
    assert [(method, told["reason"], told["step"]) for method, told in peer.told] == [("standing", "pause", 5)]
    assert simulation.shown[-1] == ("training", 9)


def test_says_unasked_that_the_script_is_over_where_ctrl_c_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    peer, _, debuggee = interrupted(monkeypatch)
    debuggee.ended(4, None, "Interrupted (Ctrl+C).")
    assert [(told["reason"], told["why"]) for _, told in peer.told] == [("ended", "Interrupted (Ctrl+C).")]
