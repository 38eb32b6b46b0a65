"""Requests of a process, from every client, answered one at a time on the thread that trains."""

from __future__ import annotations

import contextlib
import os
import queue
import time
from typing import Callable, Optional

import torch

from .debuggee import DRIVING, Debuggee
from .errors import BasinError
from .guard import FromSignal
from .handlers import Host, Session
from .interception import Interception
from .options import ProbeOptions
from .wire import Connection, Request, WireServer

#: A frozen process that nobody has asked for so long ends.
_UNASKED_SECONDS = 120.0


class Answering:
    """Its server, and a session for each connection."""

    def __init__(
        self,
        options: ProbeOptions,
        host: Host,
        debuggee: Debuggee,
        interception: Interception,
        aside: Callable[[float], None],
    ) -> None:
        """:param aside: told the seconds that an answer took, which are not training's"""
        self._options = options
        self._host = host
        self._debuggee = debuggee
        self._interception = interception
        self._aside = aside
        self.server: Optional[WireServer] = None
        #: spent on answers to anyone
        self.seconds = 0.0
        self._sessions: dict[Connection, Session] = {}
        self._resumed = False

    def resume(self) -> None:
        """Lets :meth:`wait` return."""
        self._resumed = True

    def listen(self, note: Callable[[str], None]) -> None:
        """Where no socket can be had that is noted, and nobody can ask."""
        server = WireServer(self._options, self._host.role, self._client_left)
        try:
            server.listen()
            self.server = server
        except OSError as error:
            note(f"Questions cannot be answered: {error}")

    def _client_left(self) -> None:
        if self._host.role == "frozen":
            self._resumed = True

    def serve_pending(self) -> None:
        """All that an idle step pays is the look at one flag."""
        server = self.server
        if server is None or not server.pending:
            return
        while True:
            server.pending = False
            try:
                request = server.requests.get_nowait()
            except queue.Empty:
                break
            try:
                self._serve(request)
            except BaseException:  # a signal's: what else was asked waits for the next step
                server.pending = True
                raise

    def _serve(self, request: Optional[Request]) -> None:
        server = self.server
        assert server is not None
        while server.closed_connections:
            gone = server.closed_connections.pop()
            self._sessions.pop(gone, None)
            self._debuggee.left(gone)
        if request is None or request.connection.closed:
            return
        with self._interception.signals.telling(request.interrupt):
            self._answer(request)

    def _answer(self, request: Request) -> None:
        session = self._sessions.setdefault(request.connection, Session(self._host))
        start = time.perf_counter()
        try:
            if request.method in DRIVING:
                self._drive(request, session)
                return
            with self._interception.pristine(), torch.enable_grad():
                result = session.answer(request)
            if request.method == "hello":
                request.connection.greeted()
            request.answer(result)
        except Exception as error:
            request.fail(error)
        spent = time.perf_counter() - start
        self.seconds += spent
        session.seconds += spent
        self._aside(spent)

    def _drive(self, request: Request, session: Session) -> None:
        if self._host.role == "frozen":
            raise BasinError(
                "unsupported",
                "This process was started again for questions: it stands before its first step, and takes none.",
                "Start the script under the debugger to train.",
            )
        self._debuggee.take(request, session.objective)

    def until(self, done: Callable[[], bool], deadline: Optional[float]) -> None:
        """Answers whatever is asked; the deadline is on ``time.monotonic()``'s clock."""
        server, signals = self.server, self._interception.signals
        if server is None:
            return
        # A signal wakes it: its handler runs between two requests, none of which is lost to what it raises.
        with signals.telling(lambda meant: server.requests.put(None)):
            while not done():
                left = 0.5 if deadline is None else min(0.5, deadline - time.monotonic())
                if left <= 0:
                    return
                with contextlib.suppress(queue.Empty):
                    self._serve(server.requests.get(timeout=left))
                signals.deliver()

    def wait(self, until: Optional[float], forsaken: Callable[[], bool] = lambda: False) -> None:
        """Answers until someone says resume, the time is over or, frozen, the last client has gone."""
        server = self.server
        if server is None:
            return
        parent = os.getppid()
        begun = time.monotonic()
        while not self._resumed:
            try:
                self._serve(server.requests.get(timeout=0.5))
            except queue.Empty:
                pass
            except FromSignal as torn:
                raise torn.error from None
            if (until is not None and time.monotonic() > until) or forsaken():
                break
            if self._host.role == "frozen":
                unasked = server.clients == 0 and time.monotonic() - max(begun, server.last_client) > _UNASKED_SECONDS
                starter = self._options.starter
                if unasked or os.getppid() != parent or (starter is not None and starter.is_gone()):
                    break

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
