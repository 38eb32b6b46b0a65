"""
Whether the tape replays: the loss against the recorded one, the gradient against what the backward pass added to ``p.grad``
(of several processes: against this one's part), and the first step's tape with a later step's data against that step's loss,
which catches Python numbers that froze on the tape.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

import torch

from .program import Batch, Program
from .session import Scratch, session, set_training
from .layout import Layout
from .local_gradients import averaged_over
from .tape import Look
from .versions import put_versions_back, version_of

#: Steps that are checked.
CHECKED_STEPS = 4
_LOSS_TOLERANCE = 1e-5
#: Compiled and reduced-precision kernels sum in another order.
_GRADIENT_TOLERANCE = 1e-3

WATCH_CURE = (
    "Tell Basin the loss in three lines before training:\n"
    "    import sys\n"
    "    if 'basin_probe' in sys.modules:\n"
    "        sys.modules['basin_probe'].watch(model, loss, loader)"
)


@dataclass
class Check:
    """Outcome for one step."""

    loss_error: Optional[float] = None
    gradient_error: Optional[float] = None
    cross_error: Optional[float] = None
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: why the first step's tape was not tried with this step's data
    uncrossed: Optional[str] = None
    #: why the gradient could not be held against the optimizer's
    gradient_untried: Optional[str] = None

    @property
    def passed(self) -> bool:
        return not self.reasons


def relative(a: float, b: float) -> float:
    if a == b or (a != a and b != b):
        return 0.0
    return abs(a - b) / max(abs(a), abs(b), 1e-12)


def check_backward(
    program: Program,
    batch: Batch,
    actual: "dict[int, torch.Tensor]",
    parameters: list[torch.Tensor],
    pristine: Any,
    factor: float,
    local: bool = False,
) -> Check:
    """
    Replays one backward call right behind it, at the same weights.

    :param actual: by parameter id: what the call added to its gradient
    :param factor: that GradScaler put before the loss
    :param local: ``actual`` is what this process alone had to add, before any averaging over processes
    """
    check = Check()
    if program.problem is not None:
        check.reasons.append(program.problem)
        return check
    recorded = sum(t.value for t in program.terms)
    wanted = [p for p in parameters if p.requires_grad]
    try:
        with _as_it_was(program, pristine):
            with torch.enable_grad():
                values = program.run(batch, grad=True, inference=False)
                terms = program.terms_of(values)
                replayed = sum(float(t.detach().double()) for t in terms)
                check.loss_error = relative(replayed, recorded)
                loss = program.loss_of(values)
                gradients = torch.autograd.grad(loss, wanted, allow_unused=True) if loss.requires_grad else []
    except Exception as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "checkpoint" in text.lower() and "grad" in text.lower():
            check.reasons.append("it uses reentrant activation checkpointing, whose gradient only backward() gives")
        else:
            check.reasons.append(f"replaying it failed ({type(error).__name__}: {text[:160]})")
        return check
    if not check.loss_error <= _LOSS_TOLERANCE:
        check.reasons.append(f"replayed, its loss is {replayed:.6g} where {recorded:.6g} was recorded{_why(program)}")
    processes = averaged_over(program.entries)
    if processes > 1:
        check.notes.append(
            f"Gradients are averaged over {processes} processes: what is asked is answered by the loss and the samples of this one."
        )
        if not local:
            check.gradient_untried = f"gradients are averaged over {processes} processes"
            return check
    off = size = 0.0
    for p, g in zip(wanted, gradients):
        seen = actual.get(id(p))
        a = torch.zeros_like(p) if seen is None else seen / factor
        b = torch.zeros_like(p) if g is None else g
        off += float((a - b).abs().double().pow(2).sum())
        size += float(a.abs().double().pow(2).sum())
    if size > 0:
        check.gradient_error = (off / size) ** 0.5
        if not check.gradient_error <= _GRADIENT_TOLERANCE and check.passed:
            got = "this process had before they were averaged" if local else "the optimizer got"
            check.reasons.append(
                f"its gradient comes out {check.gradient_error:.1e} away from that which {got}"
            )
    return check


def cross_check(first: Program, program: Program, batch: Batch, recorded: float, pristine: Any, check: Check) -> None:
    """The first step's tape with this step's data, at this step's weights."""
    looked = [look for look in program.looks if look.name not in ("numpy", "__array__", "tolist")]
    through_numpy = [look for look in program.looks if look.name in ("numpy", "__array__", "tolist")]
    if through_numpy:
        check.notes.append(
            f"A value that left torch at {through_numpy[0].line or 'an unknown line'} ({through_numpy[0].name}) is kept as"
            " it was: the loss is replayed without its change, as the gradient sees it."
        )
    if not first.same_kind(program):
        branch = next((look for look in looked if look.name == "__bool__"), None)
        if branch is not None:
            check.reasons.append(f"the branch at {branch.line or 'an unknown line'} depends on a value of the loss, and took another way")
        else:
            check.uncrossed = "the steps come to their losses by different calls"
        return
    frozen = [
        (site, a, b)
        for site, a, b in zip(first.number_sites, first.numbers, program.numbers)
        if a != b and not (a != a and b != b)
    ]
    bound = Batch(batch.leaves, first.numbers, batch.streams, batch.attributes, batch.samples, batch.step, batch.loss, first)
    try:
        with _as_it_was(program, pristine):
            with torch.set_grad_enabled(first.needs_grad):
                values = first.run(bound, grad=first.needs_grad, inference=False)
                replayed = sum(float(t.detach().double()) for t in first.terms_of(values))
    except Exception:
        # Shapes that the first step's numbers do not fit: the batch keeps its own.
        check.uncrossed = "the first step's numbers do not fit the shapes of later data"
        return
    check.cross_error = relative(replayed, recorded)
    if check.cross_error <= _LOSS_TOLERANCE:
        return
    if frozen and looked:
        (name, line), a, _ = frozen[0]
        source = _nearest(looked, frozen)
        check.reasons.append(
            f"the number {_short(a)} in {name.strip('_')} ({line or 'unknown line'}) comes from a value of the loss"
            f"{f' that was read at {source.line}' if source is not None and source.line else ''} and was frozen:"
            " at other weights it would be another"
        )
    elif frozen:
        (name, line), a, b = frozen[0]
        # The script's own number: the first step's says nothing about a later one.
        check.cross_error, check.uncrossed = None, "a number of the script changes from step to step"
        check.notes.append(
            f"A number in {name.strip('_')} ({line or 'unknown line'}) changes from step to step ({_short(a)}, {_short(b)}):"
            " each batch is evaluated with its own."
        )
    else:
        check.reasons.append(
            f"the first step's tape gives {replayed:.6g} for a later step where {recorded:.6g} was recorded{_why(program)}"
        )


def _nearest(looked: list[Look], frozen: list[Any]) -> Optional[Look]:
    lines = {site[1] for site, _, _ in frozen}
    before = [look for look in looked if look.line not in lines]
    return (before or looked)[-1] if looked else None


def _short(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def _why(program: Program) -> str:
    if any(e.kind == "call" and e.name == "ScriptFunction" for e in program.entries):
        return ": it is a scripted function, which cannot be looked into"
    if program.attributes:
        return f": {type(program.attributes[0][0]).__name__} changes its own {program.attributes[0][1]} with each call"
    return ""


class _as_it_was:
    """A session at the present weights, with the state as it was before the step's calls."""

    def __init__(self, program: Program, pristine: Any) -> None:
        self.program = program
        self.session = session(pristine(), program.modules, [], [], Scratch(Layout([]), []), grad=True)

    def __enter__(self) -> None:
        self.session.__enter__()
        self.put_back = []
        with torch.no_grad():
            seen: set[tuple[int, str]] = set()
            for entry in self.program.entries:
                for owner, key, before in entry.before.tensors:
                    if (id(owner), key) in seen:
                        continue
                    seen.add((id(owner), key))
                    tensor = owner[key]
                    # Through .data: the version counter belongs to the script's own graphs.
                    self.put_back.append((tensor, tensor.data, tensor.detach().clone(), version_of(tensor)))
                    tensor.data.copy_(before)
        set_training(self.program.training, inference=False)

    def __exit__(self, *error: Any) -> None:
        with torch.no_grad():
            for tensor, own, value, _ in self.put_back:
                tensor.data = own  # a pass may have put other storage there
                own.copy_(value)
        put_versions_back([tensor for tensor, *_ in self.put_back], [count for *_, count in self.put_back])
        self.session.__exit__(*error)


def summarise(checks: list[Check]) -> dict[str, Any]:
    """The replay field of ObjectiveInfo."""
    passed = sum(c.passed for c in checks)
    by_check = [
        _outcome("loss", [c.loss_error for c in checks], _LOSS_TOLERANCE),
        _outcome("gradient", [c.gradient_error for c in checks], _GRADIENT_TOLERANCE),
        _outcome("later-data", [c.cross_error for c in checks], _LOSS_TOLERANCE),
    ]
    if by_check[2]["checked"] == 0:
        why = next((c.uncrossed for c in checks if c.uncrossed is not None), None)
        if why is not None or len(checks) > 1:
            by_check[2]["why"] = why or "the optimizer calls backward() itself, at several weights a step"
    if by_check[1]["checked"] == 0:
        why = next((c.gradient_untried for c in checks if c.gradient_untried is not None), None)
        if why is not None:
            by_check[1]["why"] = why
    reasons = [r for c in checks for r in c.reasons]
    return {
        "exact": passed == len(checks),
        "checked": len(checks),
        "passed": passed,
        "worstRelativeError": max(c["worstRelativeError"] for c in by_check[:2]),
        "checks": by_check,
        "reason": _sentence(reasons[0]) if reasons else None,
        "cure": WATCH_CURE if reasons else None,
    }


def _outcome(of: str, errors: list[Optional[float]], tolerance: float) -> dict[str, Any]:
    found = [e for e in errors if e is not None]
    return {
        "of": of,
        "checked": len(found),
        "passed": sum(e <= tolerance for e in found),
        "worstRelativeError": max(found, default=0.0),
    }


def _sentence(reason: str) -> str:
    return f"The loss cannot be evaluated at other weights: {reason}."
