"""Listening to a call of the script without ever standing in its way."""

from __future__ import annotations

from typing import Any, Callable


class FromSignal(BaseException):
    """
    What a signal's handler raised while training stood: no failure of the probe's but the script's own, which goes to it
    as it is. No ``Exception``, so that nothing on the way takes it for the probe's.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def guarded(call: Callable[[], Any], work: Callable[[Callable[[], Any]], Any], failed: Callable[[BaseException], None]) -> Any:
    """
    Gives what ``call`` gives, called exactly once, also when ``work`` (which is to make that call and watch it) fails.
    What the call itself raises goes on to the script untouched.
    """
    called = False
    value: Any = None
    raised: Any = None

    def once() -> Any:
        nonlocal called, value, raised
        called = True
        try:
            value = call()
        except BaseException as error:
            raised = error
            raise
        return value

    try:
        return work(once)
    except FromSignal as torn:
        raise torn.error from None
    except Exception as error:
        if error is raised:
            raise
        failed(error)
    return value if called else call()
