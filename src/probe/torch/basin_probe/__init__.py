"""
Basin's probe for PyTorch. Put in front of a training script by Basin's launcher; it records steps and snapshots and
answers questions about the loss around them. A script needs to know nothing of it, except when Basin says that a loss
cannot be replayed; then :func:`watch` names it.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

__all__ = ["watch", "attach"]

_probe: Any = None


def attach() -> None:
    """Called once torch has been imported in a process that Basin started, or in one of a hooked shell."""
    global _probe
    if _probe is not None:
        return
    from .hooked_shell import ask_for_run
    from .options import LOADED_FILE, read_options

    options = read_options() or ask_for_run()
    if options is None:
        return
    if options.mode == "record":
        open(options.path(LOADED_FILE), "a").close()
    from .probe import Probe

    _probe = Probe(options)
    _probe.install()


def watch(model: Any, loss: Callable[..., Any], loader: Iterable[Any]) -> None:
    """
    Names a loss that Basin cannot take from the script by itself. Does nothing outside of Basin.

    :param model: the module that is trained
    :param loss: a loss function or module of torch's, of (output, target); or a function of (model, batch)
    :param loader: gives batches; for torch's own losses pairs of input and target
    """
    if _probe is None:
        return
    from .watching import Watch

    with _probe.interception.pristine():
        _probe.watch(Watch(model, loss, loader))
