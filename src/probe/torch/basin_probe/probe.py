"""
The probe of one process: listens to training, records the run, answers questions at step boundaries. Whatever goes
wrong in it is noted in the run and nowhere else; training goes on.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import sys
import threading
import time
import weakref
from typing import Any, Callable, Optional

import torch
from torch import nn

from .answering import Answering
from .checkpoint import Checkpoint
from .checks import CHECKED_STEPS, WATCH_CURE, Check, check_backward, cross_check, summarise
from .course import Course
from .debuggee import Debuggee
from .ending import Ending
from .errors import BasinError
from .evaluation_files import EvaluationFiles
from .evaluation_set import Gatherer, StoredSet
from .evaluator import Evaluator
from .groups import Group, GroupTracker
from .interception import Interception, Optimizer
from .loading import Loading
from .local_gradients import LocalGradients, averaged_over
from .naming import call_site
from .non_finite import Backward, HookWatch, Origin, origin_in_forward
from .objective import Objective, find_state
from .options import CLAIM_FILE, ProbeOptions
from .processes import backend, script, start_time, versions
from .program import Batch, Program, make_terms
from .recording import ObjectiveRecording
from .run_writer import RunWriter, evaluation_set_file, now, step_record
from .sample_count import count_samples
from .sharing import FirstStep, parameters_of, trained, unique
from .source_files import digests, own_files
from .tape import Entry
from .tape_window import TapeWindow
from .training_data import TrainingData
from .validation import ValidationGatherer
from .validation_passes import ValidationPasses
from .watching import Watch

#: Steps that a relaunched process takes at most while it waits for every kind of step that the data need.
_LATEST_FREEZE = 64
_CHANGED = "its first step comes to the loss by other calls than the recorded one"


class Probe:
    """One a process; made when torch has been imported."""

    def __init__(self, options: ProbeOptions) -> None:
        self.options = options
        self.interception = Interception(self)
        self.role = "live" if options.mode == "record" else "frozen"
        self.state = "training"
        self.writer: Optional[RunWriter] = None
        self.courses: list[Course] = []
        self.watches: list[Watch] = []
        self.started: Optional[float] = None
        self.debuggee = Debuggee(self, options.stand_first if options.mode == "record" else None)
        self.answers = Answering(options, self, self.debuggee, self.interception, self._aside)
        self.checkpoints: dict[str, Checkpoint] = {}
        self._trackers: "weakref.WeakKeyDictionary[Optimizer, GroupTracker]" = weakref.WeakKeyDictionary()
        self._by_optimizer: "weakref.WeakKeyDictionary[Optimizer, Course]" = weakref.WeakKeyDictionary()
        self._manual: Optional[Course] = None
        self._first_steps: list[FirstStep] = []
        self._notes: list[str] = []
        self._ended = False
        self._in_backward = 0
        #: of the backward pass under way
        self._losses_under_way: list[Any] = []
        #: optimizers that have stepped inside of it
        self._stepped_inside: "weakref.WeakSet[Optimizer]" = weakref.WeakSet()
        self._hooks = HookWatch()
        #: of the last loss that was not finite
        self._origin: Optional[Origin] = None
        self._backward = Backward()
        self.ending = Ending()
        #: when the present stop began
        self._stood_since: Optional[float] = None
        #: what the script does where no step is seen (interception.py)
        self._unseen: Optional[str] = None
        self._compiled_steps = False
        self._opened_late = False
        #: where training stands just now, inside of a step or between two
        self._standing_at: Optional[tuple[Course, str]] = None
        self._loading = Loading(self.interception.recorder)
        self._window = TapeWindow(self.interception, self._loading, self.courses)
        self._validation = ValidationPasses(self.interception, self._loading, self._window, self.courses)
        self._files = EvaluationFiles(lambda: self.writer, self._note, self._evaluator)

    def install(self) -> None:
        self.interception.install()
        self._hooks.install()
        self.interception.recorder.notes_rows = self.role == "frozen" or self.options.hold_seconds > 0
        self.interception.await_module(self._window.open_if_wanted)
        atexit.register(self.finish)
        self._watch_hard_exit()

    # ---- what the interception reports ----------------------------------------------------------------------------
    def failed(self, where: str, error: BaseException) -> None:
        text = f"The probe met a problem in {where}: {type(error).__name__}: {error}"
        if os.environ.get("BASIN_PROBE_LOG"):
            import traceback

            with open(os.environ["BASIN_PROBE_LOG"], "a") as log:
                log.write(text + "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__)))
        self._note(text[:300])

    def sharded(self, library: str) -> None:
        """The script trains on as without Basin."""
        self._leave_word({"sharding": library})

    def unseen_steps(self, kind: str, closing: bool) -> None:
        """Told where nothing was recorded for it, else noted in the run."""
        self._unseen = self._unseen or kind
        if closing:
            self._window.over = True
            if self.writer is not None:
                self._note(f"The script replays its steps as {kind}: Basin sees no more of them.")
            else:
                self._leave_word({"unseen": kind})

    def _leave_word(self, why: dict[str, str]) -> None:
        """Tells the launcher why there is no record."""
        told = {
            "executable": sys.executable,
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "torch": str(torch.__version__),
            **why,
        }
        if self.options.mode == "record" and self.writer is None:
            with open(self.options.path("python.json"), "w", encoding="utf-8") as file:
                json.dump(told, file)

    def _note(self, text: str) -> None:
        if self.writer is not None:
            self.writer.note(text)
        elif text not in self._notes and len(self._notes) < 20:
            self._notes.append(text)

    def optimizer_made(self, optimizer: Optimizer) -> None:
        self._know_parameters(optimizer)
        known = (course.objective.parameters for course in self.courses)
        self._window.optimizer_made(optimizer, all(trained(optimizer) != {id(p) for p in ps} for ps in known))

    def _know_parameters(self, optimizer: Optimizer) -> None:
        self.interception.recorder.trained.update(id(p) for p in parameters_of(optimizer))

    def gradients_taken(self, inputs: list[Any]) -> None:
        return None

    def loader_started(self, loader: Any) -> None:
        self._loading.started(loader)

    def batch_loaded(self, loader: Any, batch: Any) -> None:
        evaluates = self._validation.evaluates()
        fields = self._loading.arrived(loader, batch, evaluates)
        if self._loading.brings(loader) == "others":
            if evaluates:
                self._validation.loaded(fields)
        elif self.interception.is_open:
            self._loading.keep(fields, loader)

    def mode_changed(self, module: nn.Module, training: bool) -> None:
        self._validation.mode_changed(module, training)

    def gradients_off(self, site: Any) -> None:
        self._validation.gradients_off(site)

    def gradients_on(self) -> None:
        self._validation.gradients_on()

    # ---- backward -------------------------------------------------------------------------------------------------
    def backward(self, call: Callable[[], Any], tensors: list[torch.Tensor], gradients: list[Any]) -> Any:
        start = time.perf_counter()
        self._validation.training_goes_on()
        recorder = self.interception.recorder
        optimizers = self.interception.live_optimizers()
        trackers = [self._tracker(o) for o in optimizers]
        before = [t.before() for t in trackers]
        taped = recorder.on and recorder.thread == threading.get_ident() and not self.interception.in_compiled
        self._compiled_steps = self._compiled_steps or self.interception.in_compiled
        if not optimizers and not taped and self._window.wanted:
            self.interception.open()  # weights without modules, updated by hand: from the next step on
            self._opened_late = True
        checking = taped and self._wants_check()
        parameters = unique([p for t in trackers for p in t.parameters])
        local = LocalGradients(parameters) if checking and parameters and averaged_over(recorder.entries) > 1 else None
        before_it = parameters if checking and local is None else []
        own = {id(p): p.grad.detach().clone() for p in before_it if p.grad is not None}
        self._look_at_losses(tensors)
        factor = 1.0
        losses: list[Any] = []
        given: list[tuple[torch.Tensor, Any, float]] = []
        for t, g in zip(tensors, gradients):
            unscaled = self.interception.unscaled
            if unscaled is not None and unscaled[0]() is t:
                t, factor = unscaled[1], unscaled[2]
            value = t.detach() if g is None else (t.detach() * g.detach()).sum()
            value = value.sum() if value.dim() > 0 else value
            known: Any = float(value) if taped or value.device.type == "cpu" else value.clone()
            losses.append(known)
            if taped:
                given.append((t, g, float(known)))
        self.interception.unscaled = None
        outer, self._losses_under_way = self._losses_under_way, losses
        spent = time.perf_counter() - start
        self._in_backward += 1
        try:
            with contextlib.nullcontext() if local is None else local:
                out = call()
        finally:
            self._in_backward -= 1
            self._losses_under_way = outer
        start = time.perf_counter()
        if not self.debuggee.idle:
            self._backward.passed(tensors)
        # Steps that were taken meanwhile have begun another tape.
        places = [(recorder.slot_of(t), g, known) for t, g, known in given]
        terms = make_terms(recorder.entries, recorder.looks, places) if taped else None
        check: Optional[Check] = None
        this = object()
        if checking and terms is not None:
            wanted = parameters or _tape_parameters(recorder.entries)
            check = self._check(terms, own, wanted, factor, local)
        for optimizer, tracker, (state, fresh) in zip(optimizers, trackers, before):
            if optimizer in self._stepped_inside:
                continue  # its gradients have had their step
            locked = tracker.locked
            if tracker.after(state, fresh, losses, terms, this) and check is not None and not locked:
                tracker.group.checks.append(check)
        if self._in_backward == 0:
            self._stepped_inside.clear()
        if not optimizers:
            self._manual_update(losses, terms, check)
        self._aside(spent + time.perf_counter() - start)
        return out

    def _look_at_losses(self, tensors: list[torch.Tensor]) -> None:
        """Before a backward pass, which frees what tells where NaN came from. A loss on an accelerator is not waited for."""
        if self._origin is not None or self.role != "live" or self._hooks.seen:
            return
        for t in tensors:
            if t.device.type == "cpu" and t.numel() == 1 and not math.isfinite(t.detach().item()):
                self._origin = origin_in_forward(t)
                return

    def _aside(self, seconds: float) -> None:
        for course in self.courses:
            if course.recording is not None:
                course.recording.aside += seconds

    def _tracker(self, optimizer: Optimizer) -> GroupTracker:
        tracker = self._trackers.get(optimizer)
        if tracker is None:
            tracker = self._trackers[optimizer] = GroupTracker(parameters_of(optimizer))
        return tracker

    def _wants_check(self) -> bool:
        return len(self.courses) == 0 or any(len(c.checks) < CHECKED_STEPS for c in self.courses)

    def _check(
        self,
        terms: list[Any],
        own: dict[int, torch.Tensor],
        parameters: list[torch.Tensor],
        factor: float,
        local: Optional[LocalGradients],
    ) -> Check:
        if any(t.slot is None for t in terms):
            return Check(reasons=[next(t.problem for t in terms if t.slot is None and t.problem)])
        if local is not None:
            added = local.found
        else:
            with torch.no_grad():
                added = {
                    id(p): p.grad.detach() - own[id(p)] if id(p) in own else p.grad.detach().clone()
                    for p in parameters
                    if p.grad is not None
                }
        program = Program(terms)
        batch = program.own_batch(1, 0, None)
        heard = local is not None and not local.failed
        return check_backward(program, batch, added, parameters, self.interception.pristine, factor, heard)

    # ---- steps ----------------------------------------------------------------------------------------------------
    def step_begins(self, optimizer: Optimizer, has_closure: bool) -> None:
        self._window.optimizer_begins(optimizer)
        course = self._course(optimizer)
        if course is None:
            return
        tracker = self._tracker(optimizer)
        if course.team.unfinished and not course.team.shares(optimizer, tracker.group):
            self._record(course, course.group or Group())  # one that it waited for was left out
            course.group = None
        if not course.team.begins(optimizer, tracker.group):
            tracker.take()
            return
        group = tracker.take()
        if self._in_backward:
            self._stepped_inside.add(optimizer)
            group = Group.inside(self._losses_under_way)
        course.group = group if group.losses else None
        if course.group is not None:
            self._absorb(course, course.group, at_weights=True)
        course.has_closure = has_closure
        course.awaits_closure = has_closure and course.group is None
        if not course.awaits_closure:
            self._begin(course, course.group)
        if not self.debuggee.idle and course.group is not None:
            self._stand("gradient", course, group)

    def closure_evaluated(self, optimizer: Optimizer) -> None:
        course, tracker = self._by_optimizer.get(optimizer), self._tracker(optimizer)
        if course is None or not course.has_closure:
            return
        if course.group is not None and not tracker.moved_since(course.group):
            # Gradients accumulated before the step, and the closure has added the last ones. (Where it was evaluated at
            # moved weights, as by SAM, the step's loss is the one before.)
            course.group.losses.extend(tracker.group.losses)
        if not course.awaits_closure:
            return
        course.awaits_closure = False
        group = tracker.take()
        course.group = group if group.losses else None
        if course.group is not None:
            self._absorb(course, course.group, at_weights=True)
        self._begin(course, course.group)
        if not self.debuggee.idle and course.group is not None:
            self._stand("gradient", course, group)

    def _begin(self, course: Course, group: Optional[Group]) -> None:
        if course.recording is not None:
            course.recording.begin(None if group is None else group.loss(), self._origin, self._backward)
        loss = None if group is None else group.loss()
        if not isinstance(loss, float) or math.isfinite(loss):
            self._origin = None

    def step_ended(self, optimizer: Optimizer) -> None:
        course = self._by_optimizer.get(optimizer)
        self._window.optimizer_stepped(optimizer)
        if course is None:
            if any(first.of(optimizer) for first in self._first_steps):
                self._tend_tape()
            return
        if not course.team.ends(optimizer, lambda o: self._tracker(o).group):
            return
        group = course.group
        if course.has_closure and group is not None:
            self._tracker(optimizer).take()  # of a line search: no loss of the next step
        if course.awaits_closure:  # which was not evaluated
            course.awaits_closure = False
            self._begin(course, None)
        if group is None:  # an optimizer that calls backward() itself in another way
            group = self._tracker(optimizer).take()
            self._absorb(course, group, at_weights=False)
        course.group = None
        self._record(course, group)
        if course.validation is not None and not course.validated:
            self._files.tend_validation(course)
        self.answers.serve_pending()
        if not self.debuggee.idle:
            self._stand("boundary", course)
        self._tend_tape()

    def clips(self) -> None:
        if self.debuggee.idle:
            return
        for course in self.courses:
            self._backward.clips(course.objective.named)

    def _record(self, course: Course, group: Group) -> None:
        self._backward.clear()
        self._window.step_recorded()
        loss = group.loss()
        if course.recording is not None and self.started is not None:
            epoch, samples = self._loading.epoch_and_samples(course.by_rows, course.taped)
            course.recording.end(loss, course.learning_rate(), epoch, samples, self.started)
        else:
            course.objective.steps += 1

    def _manual_update(self, losses: list[Any], terms: Optional[list[Any]], check: Optional[Check]) -> None:
        """A script without an optimizer updates weights by hand: each backward pass is a step."""
        group = Group()
        group.losses, group.terms = losses, terms
        group.checks = [] if check is None else [check]
        course = self._manual
        if course is None:
            if not terms or any(t.slot is None for t in terms):
                return
            course = self._new_course([], _tape_parameters(terms[0].entries), terms)
            if course is None:
                return
            self._manual = course
            if self._opened_late:
                self._note("Weights that neither a module nor an optimizer has: the record begins behind the first backward pass.")
        else:
            self._record(course, course.group or Group())  # the update that followed the last backward pass
        course.group = group
        self._absorb(course, group, at_weights=True)
        self._begin(course, group)
        self.answers.serve_pending()
        if not self.debuggee.idle:
            if course.objective.steps > 0:
                self._stand("boundary", course)
            self._stand("gradient", course, group)
        self._tend_tape(manual=True)

    def _course(self, optimizer: Optimizer) -> Optional[Course]:
        course = self._by_optimizer.get(optimizer)
        if course is not None:
            return course
        for known in self.courses:  # an optimizer made anew for the same weights goes on
            same = {id(p) for p in known.objective.parameters} == trained(optimizer)
            if same:
                known.team.replace_all(optimizer)
            if same or known.team.replaces(optimizer):
                self._by_optimizer[optimizer] = known
                return known
        tracker = self._tracker(optimizer)
        if any(first.joins(optimizer, tracker.group) for first in self._first_steps):
            tracker.take()
            return None
        first = next((first for first in self._first_steps if first.of(optimizer)), None)
        if first is None and self._reached_others(optimizer, tracker.group):
            self._first_steps.append(FirstStep(optimizer, tracker.take()))
            return None
        team = [optimizer]
        if first is not None:
            self._first_steps.remove(first)
            team = first.optimizers()
        course = self._new_course(team, unique([p for o in team for p in parameters_of(o)]), tracker.group.terms)
        if course is not None:
            self._by_optimizer.update({o: course for o in team})
            if len(team) > 1:
                kinds = " and ".join(type(o).__name__ for o in team)
                self._note(f"{kinds} share a loss and step together: the record begins behind their first step.")
        return course

    def _reached_others(self, optimizer: Optimizer, group: Group) -> bool:
        """Whether the backward passes of a step reached weights of other optimizers, too, that have not stepped yet."""
        mine = trained(optimizer)
        return any(
            o is not optimizer
            and o not in self._by_optimizer
            and mine.isdisjoint(trained(o))  # else a shell around it
            and not any(first.of(o) for first in self._first_steps)
            and self._tracker(o).group.shares(group)
            for o in self.interception.live_optimizers()
        )

    def _new_course(
        self, optimizers: list[Optimizer], parameters: list[torch.Tensor], terms: Optional[list[Any]]
    ) -> Optional[Course]:
        """``optimizers``: those that share the loss; none where the script updates by hand."""
        if not any(p.requires_grad for p in parameters) or self._is_complex(parameters) or not self._claim():
            return None
        if self.started is None:
            self.started = time.perf_counter()
            self._loading.training_begins()
        usable = terms is not None and len(terms) > 0 and all(t.slot is not None for t in terms)
        program = self._watched_program(parameters) or (Program(terms) if usable and terms else None)
        if program is not None and not program.watched:
            count_samples(program)
        objective = Objective(len(self.courses), optimizers, parameters, program, call_site())
        course = Course(objective, optimizers)
        if self.interception.recorder.notes_rows:
            # Kept alive: a loader of a function that has returned is wanted when the process is asked later.
            loader, like = self._loading.loader(), self._loading.like
            course.training = TrainingData(objective, loader, like, lambda: self._watch_of(objective))
        self._unique_name(objective)
        self.courses.append(course)
        if self.options.mode == "record":
            course.gatherer = Gatherer(objective, self.options.evaluation_samples)
            if objective.index == 0:
                course.validation = ValidationGatherer(objective, self.options.evaluation_samples, course.gatherer)
                self.interception.wants_no_grad = True
            assert self.writer is not None
            course.recording = ObjectiveRecording(objective, self.writer, self.options.every, self.options.every_step)
            if objective.index == 0:
                self.writer.patch({"backend": backend(objective.layout.device)})
            course.recording.first(_state_before(objective))
            if program is not None and program.watched:
                # Now, so that its recorded losses are those of the first snapshot.
                self.gather_watched(course)
        return course

    def _is_complex(self, parameters: list[torch.Tensor]) -> bool:
        """Whether weights are complex numbers, which neither snapshots nor questions know: then they are left alone."""
        shapes = [list(p.shape) for p in parameters if p.is_complex()]
        if not shapes:
            return False
        if self.courses:
            self._note(f"An optimizer updates complex weights (of shape {shapes[0]}), which Basin does not record.")
        else:
            self.interception.close()
            self._leave_word({"complex": str(shapes[0])})
            self.interception.enabled = False
        return True

    def _unique_name(self, objective: Objective) -> None:
        names = {c.objective.name for c in self.courses}
        name, n = objective.name, 1
        while objective.name in names:
            n += 1
            objective.name = f"{name} {n}"

    def _claim(self) -> bool:
        """The first process that takes a step has the run; the others stay silent for good."""
        if self.writer is not None or self.answers.server is not None or self.courses:
            return True
        options = self.options
        try:
            marker = options.path(CLAIM_FILE) if options.mode == "record" else options.endpoint_file + ".claim"
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError:
            self.interception.close()
            self.interception.enabled = False
            return False
        os.environ.pop("BASIN_PROBE", None)  # processes that this one starts are none of the run's
        if options.mode == "record":
            self.writer = RunWriter(options.run_directory)
            pid = os.getpid()
            self.writer.patch(
                {
                    "state": "training",
                    "framework": "torch",
                    "script": script() or self.writer.manifest.get("script"),
                    "versions": versions(),
                    "process": {"pid": pid, "startTime": start_time(pid), "exitCode": None},
                }
            )
            files = own_files(script())
            self.writer.later(lambda: {"sources": digests(files)})
            for note in self._notes:
                self.writer.note(note)
            self.answers.listen(self._note)
        return True

    # ---- tapes ----------------------------------------------------------------------------------------------------
    def _absorb(self, course: Course, group: Group, at_weights: bool) -> None:
        """Takes a step's tape: checks it, gathers its batch; in evaluate mode freezes when it is the awaited one."""
        objective = course.objective
        if course.watched:
            pass
        elif group.terms and all(t.slot is not None for t in group.terms) and all(t.problem is None for t in group.terms):
            program = Program(group.terms)
            if objective.program is None:
                objective.program = program
                objective.state = find_state(program, objective.parameters, objective.owner)
                if course.recording is not None:
                    course.recording.layout_changed()
            samples = count_samples(program)
            course.by_rows, course.taped = program.rows_are_samples, samples
            loss = float(sum(t.value for t in group.terms))
            # Where they cannot be counted the batch is one.
            batch = program.own_batch(1 if samples is None else samples, objective.steps, loss)
            if self.options.mode == "evaluate":
                self._offer_structure(objective, program, batch)
            elif course.gatherer is not None and course.wants_tape():
                self._check_step(course, group, program, batch, loss, at_weights)
                if not objective.train:
                    course.first_pass = self._loading.present
                if self._loading.comes_again(course.first_pass):
                    course.gatherer.whole = True
                else:
                    course.gatherer.offer(program, batch)
                self._files.gathered(course)
        elif self.interception.is_open or group.terms is None:
            self._no_tape(course, group)
        if self.options.mode == "evaluate" and objective.index == self.options.objective:
            self._freeze_when_ready(course)

    def _offer_structure(self, objective: Objective, program: Program, batch: Batch) -> None:
        if all(not known.same_kind(program) for known in objective.programs):
            objective.programs.append(program)
        if not objective.train:
            objective.train.append(batch)

    def _check_step(
        self, course: Course, group: Group, program: Program, batch: Batch, loss: float, at_weights: bool
    ) -> None:
        if len(course.checks) >= CHECKED_STEPS:
            return
        check = Check()
        for one in group.checks:
            if one.loss_error is not None:
                check.loss_error = max(check.loss_error or 0.0, one.loss_error)
            if one.gradient_error is not None:
                check.gradient_error = max(check.gradient_error or 0.0, one.gradient_error)
            check.reasons.extend(one.reasons)
            check.notes.extend(one.notes)
            check.gradient_untried = check.gradient_untried or one.gradient_untried
        first = course.objective.programs[0] if course.objective.programs else None
        if first is not None and course.checks and at_weights and check.passed:
            cross_check(first, program, batch, loss, self.interception.pristine, check)
        course.checks.append(check)
        for note in check.notes:
            self._note(note)
        self._report_replay(course)

    def _no_tape(self, course: Course, group: Group) -> None:
        if course.gatherer is None or not course.wants_tape():
            return
        if not self.interception.is_open and course.objective.train:
            return
        course.untaped += 1
        if self._in_backward:
            reason = "the optimizer steps inside of backward()"
        elif not group.losses:
            reason = "its gradients did not come from backward()"
            if self._unseen is not None:
                reason += f" but from {self._unseen}"
        else:
            problem = next((t.problem for t in group.terms or [] if t.problem is not None), None)
            if self._compiled_steps:
                problem = "its backward() is inside of a function that torch.compile compiles whole"
            reason = problem or "it was computed where the tape cannot see it"
        if len(course.checks) < CHECKED_STEPS:
            course.checks.append(Check(reasons=[reason]))
            self._report_replay(course)

    def _report_replay(self, course: Course) -> None:
        objective = course.objective
        objective.replay = summarise(course.checks)
        self._files.tell_objective(course)

    def _tend_tape(self, manual: bool = False) -> None:
        self._window.tend(self._by_optimizer.__contains__, self._validation.under_way, manual)

    # ---- watching -------------------------------------------------------------------------------------------------
    def watch(self, watch: Watch) -> None:
        """The opt-in: a model, its loss and its data, for scripts whose loss the tape cannot take."""
        self.watches.append(watch)
        for course in self.courses:
            self._adopt_watch(course, watch)

    def _watched_program(self, parameters: list[torch.Tensor]) -> Optional[Program]:
        for watch in self.watches:
            if watch.covers(parameters):
                return watch.program()
        return None

    def _watch_of(self, objective: Objective) -> Optional[Watch]:
        return next((w for w in self.watches if w.covers(objective.parameters)), None)

    def _adopt_watch(self, course: Course, watch: Watch) -> None:
        objective = course.objective
        if not watch.covers(objective.parameters):
            return
        program = watch.program()
        objective.program = program
        objective.programs = [program]
        objective.train = []
        objective.state = find_state(program, objective.parameters, objective.owner)
        if course.recording is not None:
            course.recording.layout_changed()

    def gather_watched(self, course: Course) -> None:
        """The evaluation set of a watched loss: the loader's first batches."""
        objective = course.objective
        watch = self._watch_of(objective)
        if watch is None or objective.train:
            return
        with self.interception.pristine():
            objective.train = watch.batches(objective.programs[0], self.options.evaluation_samples)
        if not objective.train:
            return
        evaluator = self._evaluator(course)
        vector = evaluator.current()
        first = evaluator.replay(vector, objective.train[0])
        second = evaluator.replay(vector, objective.train[0])
        for batch in objective.train:
            batch.loss = evaluator.replay(vector, batch)
            batch.step = objective.steps
        check = Check(loss_error=abs(first - second))
        if first != second:
            check.reasons.append(f"the watched loss gave {first:.6g} and then {second:.6g} for the same weights and batch")
        objective.replay = {**summarise([check]), "cure": None if check.passed else "Make the loss depend on its arguments alone."}
        self._files.tell_objective(course)
        if course.gatherer is not None:
            course.gatherer.count = course.gatherer.wanted
        self._files.write(course, "train")

    # ---- standing still inside of training ------------------------------------------------------------------------
    def _stand(self, place: str, course: Course, group: Optional[Group] = None) -> None:
        """Lets the debuggee decide; ``group`` is that of the step under way."""
        recording, started = course.recording, self.started
        if recording is None or self.started is None or started is None or self.answers.server is None:
            return
        epoch, samples = self._loading.epoch_and_samples(course.by_rows, course.taped)

        def values() -> Optional[dict[str, Any]]:
            if place == "boundary":
                return None if recording.done is None else step_record(recording.done)
            # Before the debugger hears of this step: it may ask which layer a loss spike began in.
            self.writer.flush()
            loss = None if group is None else group.loss()
            seconds = time.perf_counter() - started
            return step_record(recording.record(loss, course.learning_rate(), epoch, samples, seconds))

        objective = course.objective
        self._standing_at = (course, place)
        self._stood_since = time.perf_counter()
        try:
            stood = self.debuggee.reached(place, objective.index, objective.steps, epoch, values)
        finally:
            self._standing_at = self._stood_since = None
        if course.recording is not None:  # another one, perhaps: the run may have been changed meanwhile
            course.recording.read_always = self.debuggee.wants_norms
            course.recording.layers_always = self.debuggee.wants_layers
        # Training's clock stands as well.
        self.started += stood
        self._aside(stood)

    def answer_until(self, done: Callable[[], bool], deadline: Optional[float]) -> None:
        """Ground: answers whatever is asked."""
        self.answers.until(done, deadline)

    def show(self, state: str) -> None:
        """Ground: the run's state, for its manifest."""
        self.state = state
        if self.writer is not None:
            self.writer.patch({"state": state})

    def gradient(self, objective: Objective) -> torch.Tensor:
        """Host: the gradient of the step under way."""
        course = self.courses[objective.index]
        if self._standing_at != (course, "gradient"):
            raise BasinError(
                "not-allowed",
                "There is no gradient here: training does not stand inside of a step.",
                "Step into the next step first.",
            )
        found = [p.grad for p in objective.parameters]
        return objective.layout.gather([g.to_dense() if g is not None and g.is_sparse else g for g in found])

    def pin(self, objective: Objective, of: Optional[int] = None) -> int:
        """Host: the present weights as a snapshot that stays; ``of`` is the step that they are of, the count by default."""
        recording = self.courses[objective.index].recording
        if recording is None:
            raise BasinError("unsupported", "This process records nothing.", "Ask for one of the run's snapshots.")
        return recording.pin(of)

    def require_boundary(self, objective: Objective) -> None:
        """Host: whether weights may be written."""
        if self.role == "frozen":
            return
        self.debuggee.require_boundary()
        if self.courses[objective.index] is self._manual:
            raise BasinError(
                "unsupported",
                "The script updates its weights by hand: the gradient of the next step is there already.",
                "Start the run again to go back.",
            )

    def rewound(self, objective: Objective, to: int) -> None:
        """Host: other weights were put into the model."""
        recording = self.courses[objective.index].recording
        if recording is not None:
            recording.rewound(to)

    def branch(self, objective: Objective, directory: str) -> dict[str, Any]:
        """Host: what is there of every objective goes on in another run."""
        self.require_boundary(objective)
        old, server = self.writer, self.answers.server
        if old is None or server is None or self._manual is not None:
            raise BasinError("unsupported", "This process does not train an objective that can go on.")
        for course in self.courses:
            if course.recording is not None:
                course.recording.last()
        step = objective.steps
        successor = {"run": os.path.basename(directory), "step": step}
        old.patch({"state": "finished", "stateReason": None, "ended": now(), "successor": successor})
        old.end()
        os.close(os.open(os.path.join(directory, CLAIM_FILE), os.O_CREAT | os.O_WRONLY, 0o600))
        self.writer = writer = RunWriter(directory)
        pid = os.getpid()
        known = {key: old.manifest.get(key) for key in ("framework", "backend", "script", "versions", "sources") if key in old.manifest}
        writer.patch({**known, "process": {"pid": pid, "startTime": start_time(pid), "exitCode": None}})
        server.move(os.path.join(directory, "endpoint.json"))
        self.started = self._stood_since
        self.checkpoints.clear()
        for course in self.courses:
            self._begin_anew(course, writer)
        return self.debuggee.restarted()

    def _begin_anew(self, course: Course, writer: RunWriter) -> None:
        objective, before = course.objective, course.recording
        objective.steps = 0
        # The data are those of the run before, and their losses belong to weights that this one has no snapshot of.
        evaluator = self._evaluator(course)
        weights = evaluator.current()
        for batch in objective.train:
            batch.loss, batch.step = evaluator.replay(weights, batch), 0
        course.recording = ObjectiveRecording(objective, writer, self.options.every, self.options.every_step)
        if before is not None:
            course.recording.read_always = before.read_always
            course.recording.layers_always = before.layers_always
        course.recording.first([s.now().detach() for s in objective.state])
        self._files.write(course, "train")
        if course.validated:
            self._files.write(course, "validation")

    def _why(self) -> Optional[str]:
        """Why the script is over, where it did not come to its end by itself."""
        return self.ending.why

    def _tell_of_the_end(self) -> None:
        if not self.courses:
            return
        first = self.courses[0]
        done = None if first.recording is None else first.recording.done
        self.debuggee.ended(first.objective.steps, None if done is None else step_record(done), self._why())

    def evaluator(self, index: int) -> Evaluator:
        """Host: the evaluator of an objective."""
        if not 0 <= index < len(self.courses):
            raise BasinError("no-steps", f"There is no objective {index} in this process.", "Let it train for a step first.")
        course = self.courses[index]
        if course.objective.programs and course.objective.programs[0].watched and not course.objective.train:
            self.gather_watched(course)
        if not course.objective.programs:
            replay = course.objective.replay or {}
            raise BasinError(
                "not-replayable",
                replay.get("reason") or "No loss of this objective was seen yet.",
                replay.get("cure") or WATCH_CURE,
            )
        return self._evaluator(course)

    def _evaluator(self, course: Course) -> Evaluator:
        if course.evaluator is None or course.evaluator.state_count != len(course.objective.state):
            course.evaluator = Evaluator(course.objective, self.interception.pristine)
        return course.evaluator

    def status(self, objective: Objective) -> dict[str, Any]:
        """Host: where the process stands."""
        course = self.courses[objective.index]
        started = self.started if self.started is not None else time.perf_counter()
        return {
            "state": "frozen" if self.role == "frozen" else self.state,
            "step": objective.steps,
            "learningRate": course.learning_rate(),
            "optimizer": objective.optimizer_info,
            "answeringSeconds": self.answers.seconds,
            "seconds": time.perf_counter() - started,
            "driver": self.debuggee.driven_by,
        }

    def optimizers(self, objective: Objective) -> list[Optimizer]:
        """Host: the optimizers of an objective that trains here; a frozen process's have not gone the run's way."""
        return [] if self.role == "frozen" else self.courses[objective.index].team.members()

    def training_data(self, objective: Objective) -> TrainingData:
        """Host: what the objective trains on."""
        training = self.courses[objective.index].training
        if training is None or (self.role == "live" and self.state == "training"):
            raise BasinError(
                "busy",
                "This process trains: Basin does not train on its data beside it.",
                "Wait until the run has ended; a process kept at its end (--hold) or started again answers.",
            )
        return training

    def resume(self) -> None:
        self.answers.resume()

    # ---- frozen ---------------------------------------------------------------------------------------------------
    def _freeze_when_ready(self, course: Course) -> None:
        """Stands still for good once every kind of step that the recorded data need has been seen."""
        objective = course.objective
        train = self._stored(objective, "train")
        device = objective.layout.device
        if train is not None and objective.programs:
            # Another first step is another script: it must not train on in search of the recorded one.
            changed = train.begins_otherwise(objective.programs)
            if not changed and objective.steps < _LATEST_FREEZE and train.missing(objective.programs):
                return
            # Never this process's own batches in their place: they would be held against themselves.
            objective.train = [] if changed else train.load(objective.programs, device)
            if not objective.train:
                objective.replay = summarise([Check(reasons=[_CHANGED])])
        elif train is None and objective.programs and objective.programs[0].watched:
            self.gather_watched(course)
        validation = self._stored(objective, "validation")
        if validation is not None:
            objective.validation = validation.load(objective.programs, device)
        if objective.program is not None and objective.train:
            sites = self._evaluator(course).sites(objective.train[0].program)
            objective.loss_name = sites[0].name if sites else None
        if not objective.programs:
            self._no_tape_frozen(objective)
        self.interception.close()
        self.answers.listen(self._note)
        try:
            self.answers.wait(None)
        finally:
            self.answers.close()
            _end_children()
            # The rest of the script must not run: it would go on as if it had trained.
            os._exit(0)

    def _no_tape_frozen(self, objective: Objective) -> None:
        objective.replay = summarise([Check(reasons=["its gradients did not come from a loss that the tape has seen"])])

    def _stored(self, objective: Objective, split: str) -> Optional[StoredSet]:
        path = self.options.path("data", evaluation_set_file(split, objective.index))
        try:
            return StoredSet(path)
        except BasinError:
            return None

    # ---- the end --------------------------------------------------------------------------------------------------
    def _watch_hard_exit(self) -> None:
        """``os._exit`` runs no exit handlers: what is recorded by then has to reach the disk before it."""
        original = os._exit
        pid = os.getpid()

        trains = threading.get_ident()

        def leave(status: int) -> Any:
            if os.getpid() == pid and not self._ended and self.role == "live":
                try:
                    self.ending.leave("os._exit", status)
                    # Only the thread that trains can stand: another one's exit is that of both.
                    hold = status != 0 and threading.get_ident() == trains and self.debuggee.driven
                    self.finish() if hold else self._settle()
                except Exception:
                    pass
            original(status)

        os._exit = leave  # type: ignore[assignment]

    def finish(self) -> None:
        """At exit: the last snapshot, the final state; then, if asked for, the process is kept for questions."""
        if self._ended or not self.interception.enabled:
            return
        try:
            self._validation.over()
            self.interception.close()
            if self.writer is None and not self.courses and self._unseen is not None and not self._window.over:
                self._leave_word({"unseen": self._unseen})
            if self.role == "live" and self.writer is not None:
                hold = self.options.hold_seconds
                if self._why() is not None and self.debuggee.driven:
                    # A debugger that is there may look at what a script has left that failed, for as long as it likes.
                    self._hold(None, lambda: not self.debuggee.driven)
                elif hold > 0 and self.answers.server is not None:
                    self._hold(time.monotonic() + hold)
                self._settle()
        except Exception as error:
            self.failed("the end of the script", error)

    def _hold(self, until: Optional[float], forsaken: Callable[[], bool] = lambda: False) -> None:
        assert self.writer is not None
        self._last_words()
        self.state = "held"
        self.writer.patch({"state": "held", "stateReason": self._why()})
        self.writer.flush()
        self._tell_of_the_end()
        self.answers.wait(until, forsaken)

    def _last_words(self) -> None:
        """What is written once, behind the last step."""
        if self._manual is not None and self._manual.group is not None:
            self._record(self._manual, self._manual.group)
            self._manual.group = None
        for course in self.courses:
            if course.team.unfinished and course.group is not None:
                self._record(course, course.group)
                course.group = None
            if course.recording is not None:
                course.recording.last()
            if course.objective.programs and course.objective.programs[0].watched and not course.objective.train:
                self.gather_watched(course)
            if len(course.objective.train) != course.written:
                self._files.write(course, "train")
            self._files.tend_validation(course, ended=True)

    def _settle(self) -> None:
        if self._ended or self.writer is None:
            return
        self._ended = self._window.over = True
        if self.state != "held":
            self._last_words()
        self._tell_of_the_end()
        state, reason = self.ending.failure or ("finished", None)
        self.writer.patch({"state": state, "stateReason": reason, "ended": now()})
        self.writer.end()
        self.answers.close()


def _tape_parameters(entries: list[Entry]) -> list[torch.Tensor]:
    """Everything trainable that the entries touch, for scripts without an optimizer."""
    from .structures import tensors_in
    from .tape import Live

    found: list[torch.Tensor] = []
    for entry in entries:
        found += [r.tensor for r in tensors_in((entry.args, entry.kwargs)) if isinstance(r, Live)]
        if isinstance(entry.func, nn.Module):
            found += list(entry.func.parameters())
    return [p for p in unique(found) if p.requires_grad]


def _state_before(objective: Objective) -> list[torch.Tensor]:
    """State as it was before the first step's loss, which has moved it since."""
    before: dict[int, torch.Tensor] = {}
    if objective.program is not None:
        for entry in objective.program.entries:
            for owner, key, clone in entry.before.tensors:
                before.setdefault(id(owner[key]), clone)
    return [before.get(id(s.now()), s.now().detach()) for s in objective.state]


def _end_children() -> None:
    """Loader workers of a frozen process go with it."""
    module = sys.modules.get("multiprocessing")
    if module is None:
        return
    for child in module.active_children():
        child.terminate()
