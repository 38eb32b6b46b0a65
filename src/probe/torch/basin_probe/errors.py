"""Errors that a person will read: what happened and what mends it. The codes are those of every Basin wire."""

from __future__ import annotations

import traceback
from typing import Optional


class BasinError(Exception):
    """A failure with a stable ``code`` (see src/protocol/errors.ts), a sentence, and its cure when there is one."""

    def __init__(self, code: str, message: str, cure: Optional[str] = None, detail: Optional[str] = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cure = cure
        self.detail = detail


def cancelled() -> BasinError:
    """A cancelled request is no failure: whoever asked knows the code."""
    return BasinError("cancelled", "Cancelled.")


def to_error_data(error: BaseException) -> dict[str, str]:
    """Anything raised, as ErrorData; a foreign error becomes ``internal`` with its traceback as detail."""
    if isinstance(error, BasinError):
        data = {"code": error.code, "message": error.message}
        if error.cure is not None:
            data["cure"] = error.cure
        if error.detail is not None:
            data["detail"] = error.detail
        return data
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {"code": "internal", "message": f"{type(error).__name__}: {error}", "detail": "".join(lines)}
