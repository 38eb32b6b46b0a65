"""
Where the probe listens: optimizer steps, root module calls, ``backward()``, loader batches. What is patched for good
costs some microseconds a step; what watches every call is in place only while a step is recorded (the window).
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from types import FrameType
from typing import Any, Callable, Optional, Protocol

import torch
from torch import nn

from .guard import FromSignal, guarded
from .held_signals import HeldSignals
from .schedules import watch_schedulers
from .tape import Recorder
from .versions import BEFORE_2, HAS_STEP_HOOKS, dataloader_module, optimizer_module, stateless_module, top_function_mode

Optimizer = torch.optim.Optimizer


class Listener(Protocol):
    """What the interception reports. Nothing that a listener raises reaches the script."""

    def optimizer_made(self, optimizer: Optimizer) -> None: ...

    def backward(self, call: Callable[[], Any], tensors: list[torch.Tensor], gradients: list[Any]) -> Any:
        """Must make the call exactly once and give what it gave."""

    def step_begins(self, optimizer: Optimizer, has_closure: bool) -> None:
        """``has_closure``: the step evaluates its losses itself, by a closure that it was given."""

    def closure_evaluated(self, optimizer: Optimizer) -> None:
        """For the first time in this step: its gradient is there, and no weight has moved."""

    def step_ended(self, optimizer: Optimizer) -> None: ...

    def clips(self) -> None:
        """Gradients are about to be scaled together."""

    def loader_started(self, loader: Any) -> None: ...

    def batch_loaded(self, loader: Any, batch: Any) -> None: ...

    def gradients_taken(self, inputs: list[Any]) -> None: ...

    def mode_changed(self, module: nn.Module, training: bool) -> None: ...

    def gradients_off(self, site: Any) -> None:
        """The script's own code turns gradients off for a while. ``site`` is the same each time for the same lines."""

    def gradients_on(self) -> None:
        """The end of that."""

    def sharded(self, library: str) -> None: ...

    def unseen_steps(self, kind: str, closing: bool) -> None:
        """The script does by itself what no listener sees; closing: nothing of it may be watched any more."""

    def failed(self, where: str, error: BaseException) -> None: ...


#: Where the classes of models come from that no process has the whole of, and what people call them.
_SHARDING = {
    "torch.distributed.fsdp": "FSDP",
    "torch.distributed._composable.fsdp": "FSDP",
    "fairscale.nn.data_parallel": "FairScale",
    "deepspeed": "DeepSpeed",
}


class Interception:
    """Installs itself once a process; :meth:`open` and :meth:`close` put the window on and off."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.recorder = Recorder(lambda name, error: listener.failed(f"recording {name}", error))
        self.optimizers: list["weakref.ref[Optimizer]"] = []
        #: loss tensor that GradScaler.scale made → the script's own, and the factor
        self.unscaled: Optional[tuple[Any, torch.Tensor, float]] = None
        self.enabled = True
        #: whether the listener is told where the script turns gradients off
        self.wants_no_grad = False
        self.signals = HeldSignals()
        #: answers that are being worked out: what is loaded meanwhile is not the script's
        self.asides = 0
        self._stepping = 0
        #: of the outermost step under way
        self._step_frame: Optional[FrameType] = None
        #: calls of compiled functions that are under way; a whole step may be inside
        self._compiled_calls = 0
        self._is_untraced = False
        self._changing_mode = False
        self._pushed = False
        self._undo: list[Callable[[], None]] = []
        self._module_call = nn.Module.__call__
        self._looked_at: "weakref.WeakSet[nn.Module]" = weakref.WeakSet()

    # ---- for good -------------------------------------------------------------------------------------------------
    def install(self) -> None:
        self._watch_optimizers()
        self._watch_backward()
        self._watch_loaders()
        self._watch_gradient_scaling()
        self._watch_clipping()
        self._watch_compiled_functions()
        self._watch_mode()
        self._watch_no_grad()
        self._watch_functional_gradients()
        self._watch_graphs()
        watch_schedulers()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        """A forked worker loads data or trains by itself; it must not write this process's run."""
        self.close()
        self.enabled = False

    def _report(self, where: str, call: Callable[[], None]) -> None:
        if not self.enabled:
            return
        self.recorder.depth += 1
        try:
            with self.signals:
                call()
        except FromSignal as torn:
            raise torn.error from None
        except Exception as error:
            self.listener.failed(where, error)
        finally:
            self.recorder.depth -= 1

    def live_optimizers(self) -> list[Optimizer]:
        found = [r() for r in self.optimizers]
        return [o for o in found if o is not None]

    def _know(self, optimizer: Optimizer) -> None:
        if all(r() is not optimizer for r in self.optimizers):
            self.optimizers.append(weakref.ref(optimizer))

    def _watch_optimizers(self) -> None:
        interception = self
        original = Optimizer.__init__

        @functools.wraps(original)
        def made(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            if not interception.enabled:
                return
            interception._know(optimizer)
            if not HAS_STEP_HOOKS:
                interception._wrap_step(type(optimizer))
            interception._report("an optimizer's construction", lambda: interception.listener.optimizer_made(optimizer))

        Optimizer.__init__ = made  # type: ignore[method-assign]
        if HAS_STEP_HOOKS:
            optimizer_module.register_optimizer_step_pre_hook(
                lambda o, args, kwargs: self._before_step(o, sys._getframe(1), args, kwargs)
            )
            optimizer_module.register_optimizer_step_post_hook(lambda o, args, kwargs: self._after_step(o))

    def _wrap_step(self, kind: type) -> None:
        """torch 1.13 has no global step hooks."""
        interception = self
        step = kind.step  # type: ignore[attr-defined]
        if getattr(step, "basin", False):
            return

        @functools.wraps(step)
        def wrapped(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            watched = interception._before_step(optimizer, sys._getframe(), (optimizer, *args), kwargs)
            given, named = watched or ((optimizer, *args), kwargs)
            try:
                out = step(*given, **named)
            except BaseException:
                interception._stepping = 0
                raise
            interception._after_step(optimizer)
            return out

        wrapped.basin = True  # type: ignore[attr-defined]
        wrapped.hooked = True  # type: ignore[attr-defined]  # keeps Optimizer.__init__ from wrapping it once more
        kind.step = wrapped  # type: ignore[attr-defined]

    def _before_step(
        self, optimizer: Optimizer, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Optional[tuple[tuple[Any, ...], dict[str, Any]]]:
        """
        :param frame: of the call of ``step``
        :param args: of that call, the optimizer first
        :return: the arguments with a closure that tells of its first evaluation, where they have one
        """
        # No hook tells of a step that has raised. One that is under way has this one inside of it, or is not any more.
        if self._stepping > 0 and not _calls(self._step_frame, frame):
            self._stepping = 0
        self._stepping += 1
        if self._stepping == 1:
            self._step_frame = frame
            try:
                self._know(optimizer)
                with_closure = self._with_watched_closure(optimizer, args, kwargs)
                self._report("the start of a step", lambda: self.listener.step_begins(optimizer, with_closure is not None))
                return with_closure
            except BaseException:  # a signal's, while training stood there: this step is not going to be
                self._stepping, self._step_frame = 0, None
                raise
        return None

    def _with_watched_closure(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Optional[tuple[tuple[Any, ...], dict[str, Any]]]:
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if not self.enabled or not callable(closure):
            return None
        first = True

        def evaluated(*a: Any, **k: Any) -> Any:
            nonlocal first
            out = closure(*a, **k)
            if first:
                first = False
                self._report("a closure's gradient", lambda: self.listener.closure_evaluated(optimizer))
            return out

        if len(args) > 1:
            return (args[0], evaluated, *args[2:]), kwargs
        return args, {**kwargs, "closure": evaluated}

    def _after_step(self, optimizer: Optimizer) -> None:
        self._stepping = max(0, self._stepping - 1)
        if self._stepping == 0:
            self._step_frame = None
            self._report("the end of a step", lambda: self.listener.step_ended(optimizer))

    @property
    def stepping(self) -> bool:
        return self._stepping > 0

    def _watch_backward(self) -> None:
        interception = self
        original = torch.autograd.backward

        @functools.wraps(original)
        def backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
            recorder = interception.recorder
            if not interception.enabled or (recorder.depth and not interception.in_compiled):
                return original(tensors, grad_tensors, *args, **kwargs)

            def call() -> Any:
                return original(tensors, grad_tensors, *args, **kwargs)

            def watched(once: Callable[[], Any]) -> Any:
                losses = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
                if grad_tensors is None:
                    weights: list[Any] = [None] * len(losses)
                else:
                    weights = [grad_tensors] if isinstance(grad_tensors, torch.Tensor) else list(grad_tensors)
                return interception.listener.backward(once, losses, weights)

            recorder.depth += 1
            try:
                return guarded(call, watched, lambda error: interception.listener.failed("backward()", error))
            finally:
                recorder.depth -= 1

        torch.autograd.backward = backward

        taken = torch.autograd.grad

        @functools.wraps(taken)
        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            out = taken(outputs, inputs, *args, **kwargs)
            if interception.enabled and not interception.recorder.depth and not interception.recorder.busy:
                given = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs)
                interception._report("autograd.grad", lambda: interception.listener.gradients_taken(given))
            return out

        self.original_grad = taken
        torch.autograd.grad = grad

    def _watch_clipping(self) -> None:
        interception = self
        original = torch.nn.utils.clip_grad_norm_

        @functools.wraps(original)
        def clip(*args: Any, **kwargs: Any) -> Any:
            if interception.enabled:
                interception._report("clipping", interception.listener.clips)
            return original(*args, **kwargs)

        for module in (torch.nn.utils, torch.nn.utils.clip_grad):
            module.clip_grad_norm_ = clip  # type: ignore[attr-defined]

    def _watch_loaders(self) -> None:
        interception = self
        base = dataloader_module._BaseDataLoaderIter
        original_next = base.__next__
        original_iter = torch.utils.data.DataLoader.__iter__

        @functools.wraps(original_next)
        def advance(iterator: Any) -> Any:
            batch = original_next(iterator)
            if interception.enabled and not interception.asides:
                loader = getattr(iterator, "_basin_loader", None)
                interception._report("a loader's batch", lambda: interception.listener.batch_loaded(loader and loader(), batch))
            return batch

        @functools.wraps(original_iter)
        def start(loader: Any) -> Any:
            iterator = original_iter(loader)
            if interception.enabled and not interception.asides:
                try:
                    # One that the script has made for this loop alone lives as long as the loop, unless it keeps its
                    # iterator, whose worker processes end when nobody has the loader any more.
                    own = getattr(loader, "_iterator", None) is iterator and not interception.recorder.notes_rows
                    iterator._basin_loader = weakref.ref(loader) if own else lambda: loader
                except Exception:
                    pass  # an iterator of its own kind without attributes: batches stay anonymous
                interception._report("a loader's start", lambda: interception.listener.loader_started(loader))
            return iterator

        base.__next__ = advance
        torch.utils.data.DataLoader.__iter__ = start  # type: ignore[method-assign]

    def _watch_gradient_scaling(self) -> None:
        interception = self
        modules = [getattr(torch, "amp", None), torch.cuda.amp]
        for kind in {getattr(m, "GradScaler") for m in modules if hasattr(m, "GradScaler")}:
            if "scale" not in kind.__dict__:
                continue
            original = kind.scale

            def scale(scaler: Any, outputs: Any, original: Any = original) -> Any:
                out = original(scaler, outputs)
                if isinstance(outputs, torch.Tensor) and isinstance(out, torch.Tensor) and scaler.is_enabled():
                    interception.unscaled = (weakref.ref(out), outputs, float(scaler.get_scale()))
                return out

            kind.scale = functools.wraps(original)(scale)

    def _watch_compiled_functions(self) -> None:
        """A compiled function is one black box: looking inside would make it compile anew."""
        compile_ = getattr(torch, "compile", None)
        if compile_ is not None:

            @functools.wraps(compile_)
            def compiled(model: Any = None, *args: Any, **kwargs: Any) -> Any:
                if model is None:
                    return lambda f: compiled(f, *args, **kwargs)
                out = compile_(model, *args, **kwargs)
                if isinstance(model, nn.Module):
                    return out
                self._leave_untraced()
                return self._black_box(self._compiled(out))

            torch.compile = compiled
        for module in (getattr(torch, "func", None), stateless_module):
            if module is not None and hasattr(module, "functional_call"):
                module.functional_call = self._black_box(module.functional_call)

    @property
    def in_compiled(self) -> bool:
        """Whether a compiled function is being called: what happens inside is on no tape."""
        return self._compiled_calls > 0

    def _compiled(self, f: Any) -> Any:
        @functools.wraps(f)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._compiled_calls += 1
            try:
                return f(*args, **kwargs)
            finally:
                self._compiled_calls -= 1

        return call

    def _leave_untraced(self) -> None:
        """A compiled function with a whole step inside leaves the compiler at what listens, instead of compiling it."""
        if self._is_untraced:
            return
        self._is_untraced = True
        import torch._dynamo

        disable = torch._dynamo.disable
        torch.autograd.backward = disable(torch.autograd.backward)
        torch.autograd.grad = disable(torch.autograd.grad)
        self._before_step = disable(self._before_step)  # type: ignore[method-assign]
        self._after_step = disable(self._after_step)  # type: ignore[method-assign]

    def _black_box(self, f: Any) -> Any:
        @functools.wraps(f)
        def opaque(*args: Any, **kwargs: Any) -> Any:
            return self._root_call("call", f, getattr(f, "__name__", "function"), args, kwargs, lambda: f(*args, **kwargs), True)

        return opaque

    def _watch_mode(self) -> None:
        interception = self
        original = nn.Module.train

        @functools.wraps(original)
        def train(module: nn.Module, mode: bool = True) -> nn.Module:
            if interception._changing_mode:
                return original(module, mode)
            interception._changing_mode = True
            try:
                out = original(module, mode)
            finally:
                interception._changing_mode = False
            if interception.enabled:
                interception._report("eval()", lambda: interception.listener.mode_changed(module, mode))
            return out

        self._original_train = original
        nn.Module.train = train  # type: ignore[method-assign]

    def _watch_no_grad(self) -> None:
        interception = self

        def watch(kind: Any) -> None:
            enter, leave = kind.__enter__, kind.__exit__

            @functools.wraps(enter)
            def entered(context: Any) -> Any:
                outermost = interception.wants_no_grad and torch.is_grad_enabled()
                out = enter(context)
                recorder = interception.recorder
                if outermost and interception.enabled and not (recorder.depth or recorder.busy or interception._stepping):
                    site = _two_lines(sys._getframe(1))
                    interception._report("no_grad", lambda: interception.listener.gradients_off(site))
                return out

            @functools.wraps(leave)
            def left(context: Any, *error: Any) -> Any:
                out = leave(context, *error)
                if interception.wants_no_grad and torch.is_grad_enabled() and not interception.recorder.depth:
                    interception._report("the end of no_grad", interception.listener.gradients_on)
                return out

            kind.__enter__, kind.__exit__ = entered, left

        watch(torch.no_grad)
        watch(torch.inference_mode)

    def _watch_functional_gradients(self) -> None:
        """Loops by torch.func know no backward(): they are told by name."""
        functional = getattr(torch, "func", None)
        compiling = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)
        for name in ("grad", "grad_and_value", "vjp", "jacrev"):
            original = getattr(functional, name, None)
            if original is None:
                continue

            def taken(*args: Any, original: Any = original, name: str = name, **kwargs: Any) -> Any:
                if not compiling() and not self.recorder.depth and not self.recorder.busy:
                    self._report(f"torch.func.{name}", lambda: self.listener.unseen_steps(f"torch.func.{name}", False))
                return original(*args, **kwargs)

            setattr(functional, name, functools.wraps(original)(taken))

    def _watch_graphs(self) -> None:
        """
        What a CUDA graph replays calls nothing of Python, and what the probe would do while it is captured would become
        part of it: from there on the script is left alone.
        """
        kind = torch.cuda.CUDAGraph
        original = kind.__new__

        def new(cls: type, *args: Any, **kwargs: Any) -> Any:
            # Compilers make graphs of the inside of a module, which is called all the same.
            if not str(sys._getframe(1).f_globals.get("__name__", "")).startswith("torch."):
                self._leave_to_graphs()
            return original(cls, *args, **kwargs)

        kind.__new__ = staticmethod(new)  # type: ignore[assignment]
        graphed = torch.cuda.make_graphed_callables

        @functools.wraps(graphed)
        def make(*args: Any, **kwargs: Any) -> Any:
            self._leave_to_graphs()
            return graphed(*args, **kwargs)

        torch.cuda.make_graphed_callables = make

    def _leave_to_graphs(self) -> None:
        if self.enabled:
            self.close()
            self._report("a CUDA graph", lambda: self.listener.unseen_steps("CUDA graphs", True))

    def await_module(self, called: Callable[[], None]) -> None:
        """Calls back once, at the first call of a module that could be training; scripts without an optimizer need it."""
        original = self._module_call

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.is_grad_enabled() and self.enabled and nn.Module.__call__ is call:
                nn.Module.__call__ = original  # type: ignore[method-assign]
                self._report("the first module call", called)
                return nn.Module.__call__(module, *args, **kwargs)
            return original(module, *args, **kwargs)

        nn.Module.__call__ = call  # type: ignore[method-assign]

    # ---- the window -----------------------------------------------------------------------------------------------
    @property
    def is_open(self) -> bool:
        return self.recorder.on

    def open(self) -> None:
        """Starts recording on this thread, from an empty tape."""
        recorder = self.recorder
        if recorder.on and recorder.thread == threading.get_ident():
            return
        if recorder.on:
            self.close()
        recorder.thread = threading.get_ident()
        recorder.reset()
        recorder.on = True
        interception = self
        original = self._module_call

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if not recorder.recording_here() or interception._is_sharded(module):
                return original(module, *args, **kwargs)
            # A loss module has no parameters: it is recorded when what it is given depends on weights.
            has_parameters = next(module.parameters(), None) is not None
            return interception._root_call(
                "module", module, type(module).__name__, args, kwargs, lambda: original(module, *args, **kwargs), has_parameters
            )

        self._patched_call = call
        nn.Module.__call__ = call  # type: ignore[method-assign]
        self._undo.append(lambda: setattr(nn.Module, "__call__", original))
        self._watch_scripts_and_functions()
        self._push()

    def _is_sharded(self, module: nn.Module) -> bool:
        """
        Whether this model's weights are spread over processes, where no process has a loss of all of them. Then the
        interception ends for good, before anything of the model has been touched.
        """
        if module in self._looked_at:
            return False
        self._looked_at.add(module)
        for part in module.modules():
            for kind in type(part).__mro__:
                library = next((n for p, n in _SHARDING.items() if kind.__module__.startswith(p)), None)
                if library is not None:
                    self.close()
                    self.listener.sharded(library)
                    self.enabled = False
                    return True
        return False

    def close(self) -> None:
        """Takes the window off; the tape stays as it is until the next :meth:`open`."""
        self.recorder.on = False
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self._pop()

    def _watch_scripts_and_functions(self) -> None:
        script = torch.jit.ScriptFunction
        script_call = script.__call__

        def call_script(f: Any, *args: Any, **kwargs: Any) -> Any:
            return self._root_call("call", f, "ScriptFunction", args, kwargs, lambda: script_call(f, *args, **kwargs), True)

        script.__call__ = call_script
        self._undo.append(lambda: setattr(script, "__call__", script_call))

        function = torch.autograd.Function
        own = function.__dict__.get("apply")

        def apply(kind: type, *args: Any, **kwargs: Any) -> Any:
            f = ApplyOf(kind, own)
            return self._root_call("call", f, f"{kind.__name__}.apply", args, kwargs, lambda: f(*args, **kwargs))

        function.apply = classmethod(apply)  # type: ignore[assignment]

        def restore() -> None:
            if own is not None:
                function.apply = own
            else:
                del function.apply

        self._undo.append(restore)
        if BEFORE_2:
            self._watch_indexing()

    def _watch_indexing(self) -> None:
        tensor, recorder = torch.Tensor, self.recorder
        get, put = tensor.__getitem__, tensor.__setitem__
        tensor.__getitem__ = lambda t, i: recorder.__torch_function__(get, (), (t, i))  # type: ignore[assignment]
        tensor.__setitem__ = lambda t, i, x: recorder.__torch_function__(put, (), (t, i, x))  # type: ignore[assignment]

        def restore() -> None:
            for name in ("__getitem__", "__setitem__"):
                if name in tensor.__dict__:
                    delattr(tensor, name)

        self._undo.append(restore)

    def _root_call(
        self, kind: str, func: Any, name: str, args: Any, kwargs: Any, call: Callable[[], Any], always: bool = False
    ) -> Any:
        """One black box: inside of it torch is as if nobody listened, which also leaves compilers undisturbed."""
        recorder = self.recorder
        if not recorder.recording_here():
            return call()

        def inside() -> Any:
            recorder.depth += 1
            nn.Module.__call__ = self._module_call  # type: ignore[method-assign]
            popped = self._pop()
            try:
                return call()
            finally:
                recorder.depth -= 1
                if popped:
                    self._push()
                if recorder.on:
                    nn.Module.__call__ = self._patched_call  # type: ignore[method-assign]

        return recorder.record(kind, func, name, args, kwargs, inside, always)

    def _push(self) -> None:
        if not self._pushed:
            self.recorder.__enter__()
            self._pushed = True

    def _pop(self) -> bool:
        """False when a mode of the script is on top: then the recorder stays and lets calls pass."""
        if self._pushed and top_function_mode() is self.recorder:
            self.recorder.__exit__(None, None, None)
            self._pushed = False
            return True
        return False

    def pristine(self) -> "_Pristine":
        """Context in which torch is as the script knows it, for the probe's own calls."""
        return _Pristine(self)


def _calls(outer: Optional[FrameType], inner: FrameType) -> bool:
    """Whether one call is under way inside of another."""
    frame: Optional[FrameType] = inner.f_back
    while frame is not None and frame is not outer:
        frame = frame.f_back
    return frame is not None


def _two_lines(frame: FrameType) -> tuple:
    """Where a stretch of code begins, and what calls the function that it is in."""
    caller = frame.f_back
    return frame.f_code, frame.f_lineno, caller and caller.f_code, caller and caller.f_lineno


class _Pristine:
    def __init__(self, interception: Interception) -> None:
        self.interception = interception

    def __enter__(self) -> None:
        i = self.interception
        self.was_open = i.is_open
        i.asides += 1
        i.recorder.depth += 1
        self.popped = i._pop()
        self.call = nn.Module.__call__
        nn.Module.__call__ = i._module_call  # type: ignore[method-assign]

    def __exit__(self, *error: Any) -> None:
        i = self.interception
        i.asides -= 1
        nn.Module.__call__ = self.call  # type: ignore[method-assign]
        if self.popped:
            i._push()
        i.recorder.depth -= 1


class ApplyOf:
    """``autograd.Function.apply`` of one class, as a callable that can be called again at replay."""

    def __init__(self, kind: type, own: Any) -> None:
        """:param own: the class method that ``Function`` itself has: Python's, from 2.14 on one of C; None before 2.0"""
        self.kind = kind
        self.own = own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.own is not None:
            return self.own.__get__(None, self.kind)(*args, **kwargs)
        return super(torch.autograd.Function, self.kind).apply(*args, **kwargs)  # type: ignore[misc]

