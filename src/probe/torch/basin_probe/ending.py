"""How the script comes to its end: by itself, by an exception, or by leaving with a status."""

from __future__ import annotations

import _sitebuiltins
import ast
import contextlib
import dis
import linecache
import os
import sys
from types import FrameType, TracebackType
from typing import Any, Callable, Optional


class Ending:
    """Watches for it from its construction on; what it knows is whole when the script's main module is done."""

    def __init__(self) -> None:
        self._main = _main_frame()
        #: of an exception that nobody has caught: the run's state, and why
        self.failure: Optional[tuple[str, str]] = None
        #: of the latest call that leaves: what it was, None for success
        self._left: Optional[str] = None
        self._leaves = False
        self._watch_exceptions()
        self._watch_exits()

    @property
    def why(self) -> Optional[str]:
        """Why the script is over, where it did not come to its end by itself."""
        if self.failure is not None:
            return self.failure[1]
        if self._main is not None and _has_returned(self._main):
            return None  # whatever was raised to leave was caught
        if self._leaves:
            return self._left
        return None if self._main is None else _raised(self._main)

    def leave(self, how: str, status: Any) -> None:
        """The script is about to leave; it may still catch that."""
        self._leaves = True
        self._left = _told(how, status)

    def _watch_exceptions(self) -> None:
        previous = sys.excepthook

        def hook(kind: Any, error: BaseException, trace: Any) -> Any:
            if issubclass(kind, KeyboardInterrupt):
                self.failure = ("interrupted", "Interrupted (Ctrl+C).")
            else:
                lines = str(error).strip().splitlines()
                self.failure = ("failed", f"{kind.__name__}: {lines[0] if lines else ''}".strip())
            _trim(error)
            return previous(kind, error, error.__traceback__)

        sys.excepthook = hook

    def _watch_exits(self) -> None:
        leave = sys.exit

        def noted(status: Any = None) -> Any:
            self.leave("sys.exit", status)
            leave(status)

        sys.exit = noted  # type: ignore[assignment]
        quit_: Callable[..., Any] = _sitebuiltins.Quitter.__call__

        def quitted(quitter: Any, code: Any = None) -> Any:
            self.leave(quitter.name, code)
            quit_(quitter, code)

        _sitebuiltins.Quitter.__call__ = quitted  # type: ignore[method-assign]


#: where the probe's own frames are
_PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def _trim(error: Optional[BaseException]) -> None:
    """Takes the probe's frames out of the traceback of an exception and of those that led to it: they are not the script's."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        frames: list[TracebackType] = []
        at = one.__traceback__
        while at is not None:
            if not at.tb_frame.f_code.co_filename.startswith(_PROBE):
                frames.append(at)
            at = at.tb_next
        if frames:
            # What the probe itself gets wrong keeps its frames.
            trace: Optional[TracebackType] = None
            for old in reversed(frames):
                trace = TracebackType(trace, old.tb_frame, old.tb_lasti, old.tb_lineno)
            one.__traceback__ = trace
        waiting += [one.__cause__, one.__context__]


def _told(how: str, status: Any) -> Optional[str]:
    return None if status is None or status == 0 else f"{how}({status!r})."


def _raised(main: FrameType) -> Optional[str]:
    """
    Of a SystemExit that Python itself tells nobody of. Its status stands in the source, or is known when the process has
    ended; one that the main module makes of what its functions return (``raise SystemExit(main())``) is an end as any.
    """
    line = main.f_lineno
    source = "".join(linecache.getlines(main.f_code.co_filename, main.f_globals))
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Raise) or not node.lineno <= line <= (node.end_lineno or node.lineno):
                continue
            call = node.exc
            if not isinstance(call, ast.Call) or not call.args:
                return None
            try:
                return _told("SystemExit", ast.literal_eval(call.args[0]))
            except ValueError:
                return None
    return f"SystemExit, in what line {line} of {os.path.basename(main.f_code.co_filename)} calls."


def _main_frame() -> Optional[FrameType]:
    """Of the main module, where it is on the way to here."""
    main = sys.modules.get("__main__")
    frame: Optional[FrameType] = sys._getframe()
    while frame is not None:
        if main is not None and frame.f_globals is main.__dict__ and frame.f_code.co_name == "<module>":
            return frame
        frame = frame.f_back
    return None


def _has_returned(frame: FrameType) -> bool:
    """A frame that is done stands at its last instruction: a return, or else what raised."""
    code = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(code) and dis.opname[code[frame.f_lasti]].startswith("RETURN_")
