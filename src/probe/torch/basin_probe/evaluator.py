"""Losses, gradients and Hessian-vector products of one objective at any weights, on its evaluation set."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from typing import Any, Callable, Iterator, Optional

import torch

from .differences import difference_step
from .errors import BasinError, cancelled
from .feeds import Cut, Feeds
from .first_layers import FirstLayers, Plane
from .gauss_newton import gauss_newton_product
from .kept_graphs import KeptGraphs, free_memory
from .layout import Layout
from .loss_site import LossSite, find_sites
from .objective import Objective
from .program import Batch, Program
from .questions import Cancelled, How, Vector
from .samples import predicted_rows, sample_values
from .scores import Loss, Note, Tally, summary
from .session import Scratch, session, set_training
from .several_points import SeveralPoints
from .statistics import refreshing, statistics_modules
from .versions import copy_into, exact_attention


def _retried(method: Callable[..., Any]) -> Callable[..., Any]:
    """Inference mode is a little faster than no_grad, and a few modules do not stand it: then it is left for good."""

    @functools.wraps(method)
    def call(self: "Evaluator", *args: Any) -> Any:
        try:
            return method(self, *args)
        except RuntimeError as error:
            if not self.inference_mode or "nference" not in str(error):
                raise
            self.inference_mode = False
            return method(self, *args)

    return call


class Evaluator:
    """Answers about one objective. Every public method leaves the process as it was."""

    def __init__(self, objective: Objective, pristine: Any) -> None:
        self.objective = objective
        self.layout: Layout = objective.layout
        self.pristine = pristine
        self.scratch = Scratch(self.layout, objective.state)
        self.state_count = len(objective.state)
        self.inference_mode = hasattr(torch, "inference_mode")
        self._sites: dict[int, list[LossSite]] = {}
        self._feeds = Feeds(self)
        self.first_layers = FirstLayers(self)
        self._several = SeveralPoints(self)
        self._curvature: Optional[KeptGraphs] = None
        self._curvature_scratch: Optional[Scratch] = None
        self._inference_works: Optional[bool] = None
        #: by a program's id and whether in inference mode: whether a pass leaves the weights as they are
        self._leaves_weights: dict[tuple[int, bool], bool] = {}
        #: Whether a forward pass writes state outside of training too (a queue, a moving average of weights).
        self._always_moves = False
        #: the process's own state, for vectors that carry none
        self._state_now: list[torch.Tensor] = []
        #: the tensors that hold state in the process
        self._live_state: list[torch.Tensor] = []

    # ---- what there is --------------------------------------------------------------------------------------------
    def modes(self) -> list[str]:
        """Evaluation modes, the default first: inference where the loss goes through modules and runs in that mode."""
        if self._inference_works is None:
            self._inference_works = self._try_inference()
            # Now, while nobody holds vectors: it takes two of its own for a moment.
            for inference in {self._inference_works, self._inference_works and not self.has_statistics()}:
                self._leaves(self.objective.train, inference)
            self.scratch = Scratch(self.layout, self.objective.state)
        return ["inference", "as-trained"] if self._inference_works else ["as-trained"]

    @_retried
    def _try_inference(self) -> bool:
        batches = self.objective.train
        if not batches or not batches[0].program.modules:
            return False
        try:
            with self._at(batches, self.current(), grad=False, inference=True):
                before = [t.clone() for t in self.scratch.state]
                self._value(batches[0], inference=True)
                self._always_moves = not all(torch.equal(a, b) for a, b in zip(self.scratch.state, before))
            return True
        except RuntimeError as error:
            if self.inference_mode and "nference" in str(error):
                raise
            return False
        except Exception:  # a module that gives something else outside of training
            return False

    def _leaves(self, batches: list[Batch], inference: bool) -> bool:
        """Whether passes leave the weights as they are: a module may write to them, such as one that clips them."""
        for batch in {id(b.program): b for b in batches}.values():
            key = id(batch.program), inference
            if key not in self._leaves_weights:
                self._leaves_weights[key] = self._try_leaving(batch, inference)
            if not self._leaves_weights[key]:
                return False
        return True

    @_retried
    def _try_leaving(self, batch: Batch, inference: bool) -> bool:
        # Not at the present weights: those that have been clipped are left as they are by clipping.
        now = self.current()
        at = Vector(now.flat.mul_(2), now.state)
        try:
            with self._at([batch], at, grad=False, inference=inference):
                with torch.no_grad():
                    self._combine(at, [], [])
                batch.program.run(batch, grad=batch.program.needs_grad, inference=inference)
                return torch.equal(self.scratch.flat, at.flat)
        except RuntimeError as error:
            if self.inference_mode and "nference" in str(error):
                raise
            return False
        except Exception:  # as in _try_inference
            return False

    @contextlib.contextmanager
    def placed_at(self, batches: list[Batch], vector: Vector, how: How, grad: bool = False) -> Iterator[None]:
        """
        A session with the weights of one vector in place. Where weights are views of a vector and passes leave them as they
        are, the vector itself stands in for them, and no copy of it is made.

        :raises BasinError: ``unsupported`` where a pass has written to the weights after all, once
        """
        modes = [how.inference, False] if how.refresh else [how.inference]
        stands_in = self.layout.direct and not grad and all(self._leaves(batches, mode) for mode in modes)
        weights = self.layout.split(vector.flat) if stands_in else None
        bits = _bits(vector.flat) if stands_in else None
        with self._at(batches, vector, grad=grad, inference=how.inference, weights=weights):
            if not stands_in:
                with torch.no_grad():
                    self._combine(vector, [], [])
            yield
        if bits is not None and _bits(vector.flat) != bits:
            self._leaves_weights.update({(id(b.program), mode): False for b in batches for mode in (True, False)})
            raise BasinError(
                "unsupported",
                "A module of this model has written to the weights while they were evaluated.",
                "Ask once more: copies of them are evaluated from now on.",
            )

    def sites(self, program: Program) -> list[LossSite]:
        if id(program) not in self._sites:
            self._sites[id(program)] = find_sites(program)
        return self._sites[id(program)]

    def predicts(self) -> bool:
        return bool(self.objective.train) and all(self.sites(b.program) for b in self.objective.train)

    def has_statistics(self) -> bool:
        return any(statistics_modules(p) for p in self.objective.programs)

    def batches(self, split: str, samples: Optional[int]) -> list[Batch]:
        """Whole batches from the first on, at most ``samples`` samples and at least one batch."""
        found = self.objective.train if split == "train" else self.objective.validation
        if not found:
            if split == "validation":
                raise BasinError("bad-input", "This run has no validation data.", "Ask for the train split.")
            reason = (self.objective.replay or {}).get("reason")
            raise BasinError(
                "not-replayable",
                reason or "No training batch was recorded yet.",
                (self.objective.replay or {}).get("cure") or "Let it train for some steps first.",
            )
        chosen: list[Batch] = []
        total = 0
        for batch in found:
            if samples is not None and chosen and total + batch.samples > samples:
                break
            chosen.append(batch)
            total += batch.samples
        return chosen

    def selected(self, how: How) -> list[Batch]:
        """
        The batches of a request.

        :raises BasinError: ``bad-input`` for a range that is empty or leaves the split
        """
        batches = self.batches(how.split, how.samples) if how.drawn is None else list(how.drawn)
        if how.range is None:
            return batches
        start, stop = how.range
        if not 0 <= start < stop <= len(batches):
            raise BasinError(
                "bad-input",
                f"There are no batches {start} to {stop}: the split has {len(batches)}.",
                "Give the first batch, counted from 0, and the one after the last.",
            )
        return batches[start:stop]

    def current(self) -> Vector:
        """The present weights and state."""
        flat = self.layout.gather([p.detach() for p in self.layout.parameters])
        return Vector(flat, self.current_state())

    def current_state(self) -> list[torch.Tensor]:
        return [s.now().detach().clone() for s in self.objective.state]

    # ---- losses ---------------------------------------------------------------------------------------------------
    @_retried
    def losses(
        self, origin: Vector, directions: list[Vector], coefficients: list[list[float]], how: How, stop: Cancelled
    ) -> list[Loss]:
        """The loss at ``origin + Σ coefficients[p][i]·directions[i]`` for every point p; state is the origin's."""
        batches = self.selected(how)
        as_recorded = how.range is not None or how.drawn is not None or (how.inference and self._always_moves)
        cut = Cut(batches, False) if as_recorded else self._feeds.choose(batches, how.inference, origin)
        feeds = cut.batches
        found: list[Loss] = []
        several, plane = 1, None
        with self._at(self._involved(batches, how), origin, grad=False, inference=how.inference):
            with self.scratch.in_format(cut.channels_last):
                if directions and how.inference and not how.refresh and not self._always_moves:
                    plane = self.first_layers.plane(feeds, origin, directions, len(coefficients))
                    several = self._several.count(feeds, origin, how, plane) if len(coefficients) > 2 else 1
                if several > 1:
                    return self._at_several(several, feeds, origin, directions, coefficients, plane, stop)
                for point in coefficients:
                    self._combine(origin, directions, point)
                    if how.refresh:
                        self._refresh(origin, how.samples if how.split == "train" else None, stop)
                    found.append(self._point(feeds, origin, how, stop, on=(plane, point)))
        return found

    def _at_several(
        self,
        several: int,
        feeds: list[Batch],
        origin: Vector,
        directions: list[Vector],
        coefficients: list[list[float]],
        plane: Optional[Plane],
        stop: Cancelled,
    ) -> list[Loss]:
        """Inside a session: `several` points at a time (several_points.py)."""
        found = []
        for start in range(0, len(coefficients), several):
            if stop():
                raise cancelled()
            points = coefficients[start : start + several]
            flats = torch.empty((len(points), self.layout.length), dtype=self.layout.dtype, device=self.layout.device)
            for flat, point in zip(flats, points):
                _combine_into(flat, origin, directions, point)
            by_feed = self._several.losses(feeds, flats, plane, points)
            for i in range(len(points)):
                sums = [losses[i] for losses, _ in by_feed]
                singles = [s[i] for _, s in by_feed if s is not None]
                found.append(summary(feeds, sums, singles, [], 0))
        return found

    def vector(self, flat: torch.Tensor) -> Vector:
        """A vector without state."""
        return Vector(flat, None)

    def passes(
        self, feeds: list[Batch], plane: Optional[Plane], point: list[float]
    ) -> "list[tuple[torch.Tensor, Optional[torch.Tensor]]]":
        """:meth:`one_pass` over all batches at a point of a plane whose first layers are known, or of none."""
        found = []
        for i, feed in enumerate(feeds):
            with contextlib.nullcontext() if plane is None else plane.at(i, point):
                found.append(self.one_pass(feed))
        return found

    def one_pass(self, feed: Batch) -> "tuple[torch.Tensor, Optional[torch.Tensor]]":
        """Inside a session, in inference mode: (the batch's loss, (Σ loss, Σ loss²) of its samples where known)."""
        note = Note(feed, self.sites(feed.program), scored=False)
        return self._pass(feed, note, inference=True), note.singles

    def mean_of(self, feeds: list[Batch], losses: list[torch.Tensor]) -> float:
        """The mean over samples of the losses of batches."""
        return summary(feeds, losses, [], [], 0).loss

    @contextlib.contextmanager
    def placed(self, batches: list[Batch], vector: Vector) -> Iterator[None]:
        """A session in inference mode at a vector, for measuring."""
        with self._at(batches, vector, grad=False, inference=True):
            self._combine(vector, [], [])
            yield

    def mean_loss(self, batches: list[Batch]) -> float:
        """Inside of :meth:`placed`."""
        how = How("train", None, True, False)
        return self._point(batches, Vector(self.scratch.flat, None), how, lambda: False).loss

    def _combine(self, origin: Vector, directions: list[Vector], point: list[float]) -> None:
        _combine_into(self.scratch.flat, origin, directions, point)
        self.scratch.loaded()

    def _point(
        self,
        feeds: list[Batch],
        origin: Vector,
        how: How,
        stop: Cancelled,
        scored: bool = False,
        on: tuple[Optional[Plane], list[float]] = (None, []),
    ) -> Loss:
        """:param on: the point's place on a plane whose first layers are known"""
        tally = Tally(feeds)
        plane, point = on
        for i, feed in enumerate(feeds):
            if stop():
                raise cancelled()
            self._reset_state(feed, origin, how)
            note = Note(feed, self.sites(feed.program), scored)
            with contextlib.nullcontext() if plane is None else plane.at(i, point):
                tally.add(self._pass(feed, note, how.inference), note)
        return tally.summary()

    def _pass(self, feed: Batch, note: Note, inference: bool) -> torch.Tensor:
        """One batch at the weights that are placed: its loss."""
        program = feed.program
        values = program.run(feed, grad=program.needs_grad, inference=inference, overrides=note.overrides())
        return program.loss_of(values)

    @_retried
    def score(self, members: list[Vector], how: How, combine: Optional[str], stop: Cancelled) -> Loss:
        """One vector: its score. Several: that of their ensemble."""
        batches = self.selected(how)
        if len(members) == 1:
            with self.placed_at(self._involved(batches, how), members[0], how):
                if how.refresh:
                    self._refresh(members[0], None, stop)
                return self._point(batches, members[0], how, stop, scored=True)
        return self._ensemble(members, batches, how, combine, stop)

    def _ensemble(
        self, members: list[Vector], batches: list[Batch], how: How, combine: Optional[str], stop: Cancelled
    ) -> Loss:
        predictions = self.predictions(members, batches, how, stop)
        replaced = [
            [site.average(p, combine) for site, p in zip(self.sites(batch.program), by_site)]
            for batch, by_site in zip(batches, predictions)
        ]

        def passed(i: int, member: Vector, tally: Optional[Tally] = None) -> torch.Tensor:
            self._reset_state(batches[i], member, how)
            note = Note(batches[i], self.sites(batches[i].program), scored=True, replaced=replaced[i])
            loss = self._pass(batches[i], note, how.inference)
            if tally is not None:
                tally.add(loss, note)
            return loss

        # What a loss adds to its predictions' part (a penalty on weights) belongs to each member, and the ensemble's is
        # their mean: with the same predictions put in, only that differs from member to member.
        penalties: list[float] = []
        tally = Tally(batches)
        whole = all(site.is_whole_loss for batch in batches for site in self.sites(batch.program))
        for k, member in enumerate(members):
            last = k == len(members) - 1
            if whole and not last:
                continue
            with self.placed_at(batches, member, replace(how, refresh=False)):
                if not whole:
                    penalties.append(float(passed(0, member).double()))
                if last:
                    for i in range(len(batches)):
                        passed(i, member, tally)
        found = tally.summary()
        if penalties:
            found.loss += sum(penalties) / len(penalties) - penalties[-1]
        return found

    def predictions(
        self, members: list[Vector], batches: list[Batch], how: How, stop: Cancelled
    ) -> list[list[list[torch.Tensor]]]:
        """By batch, loss call and member; ``unsupported`` where they cannot be told apart from the loss."""
        if not all(self.sites(b.program) for b in batches):
            raise BasinError(
                "unsupported",
                "The predictions of this loss cannot be told apart from the loss itself, so members cannot be averaged.",
                "Compute the loss outside of the model, of one output with one of torch's loss functions.",
            )
        predictions: list[list[list[torch.Tensor]]] = [[] for _ in batches]  # batch, site, member
        for member in members:
            with self.placed_at(self._involved(batches, how), member, how):
                if how.refresh:
                    self._refresh(member, None, stop)
                for i, batch in enumerate(batches):
                    if stop():
                        raise cancelled()
                    self._reset_state(batch, member, how)
                    note = Note(batch, self.sites(batch.program), scored=True)
                    self._pass(batch, note, how.inference)
                    predictions[i] = predictions[i] or [[] for _ in note.predictions]
                    for site, p in enumerate(note.predictions):
                        predictions[i][site].append(p.detach())
        return predictions

    @_retried
    def replay(self, vector: Vector, batch: Batch) -> float:
        """A recorded batch at the given weights and state, as trained."""
        with self._at([batch], vector, grad=batch.program.needs_grad, inference=False):
            self._combine(vector, [], [])
            values = batch.program.run(batch, grad=batch.program.needs_grad, inference=False)
            return sum(float(t.detach().double()) for t in batch.program.terms_of(values))

    # ---- derivatives ----------------------------------------------------------------------------------------------
    def gradient(self, at: Vector, how: How, stop: Cancelled) -> tuple[float, torch.Tensor]:
        """(mean loss, mean gradient as a flat vector)."""
        return self.gradient_and_state(at, how, stop)[:2]

    @_retried
    def gradient_and_state(
        self, at: Vector, how: How, stop: Cancelled
    ) -> "tuple[float, torch.Tensor, Optional[list[torch.Tensor]]]":
        """(mean loss, mean gradient as a flat vector, the state that the passes have left where they move any)."""
        batches = self.selected(how)
        total = self.layout.zeros()
        loss = 0.0
        samples = sum(b.samples for b in batches)
        with self._at(self._involved(batches, how), at, grad=True, inference=how.inference):
            self._combine(at, [], [])
            if how.refresh:
                self._refresh(at, how.samples if how.split == "train" else None, stop)
            for batch in batches:
                if stop():
                    raise cancelled()
                self._reset_state(batch, at, how)
                share = batch.samples / samples
                with torch.enable_grad():
                    value = self._value(batch, how.inference)
                    gradients = self._gradients(value)
                with torch.no_grad():
                    total.add_(self.layout.gather(gradients), alpha=share)
                    loss += share * float(value.detach())
            moved = any(b.program.moves_state for b in batches) and not how.inference
            state = [t.detach().clone() for t in self.scratch.state] if moved else None
        return loss, total, state

    def _gradients(self, value: torch.Tensor) -> "list[Optional[torch.Tensor]]":
        parameters = self.layout.parameters
        if not value.requires_grad:
            return [None for _ in parameters]
        try:
            return list(torch.autograd.grad(value, parameters, allow_unused=True))
        except RuntimeError as error:
            if "checkpoint" not in str(error).lower() and "reentrant" not in str(error).lower():
                raise
            raise BasinError(
                "unsupported",
                "Reentrant activation checkpointing gives gradients only through backward().",
                "Use checkpoint(..., use_reentrant=False).",
            ) from error

    def hvp(self, at: Vector, direction: Vector, how: How, method: str, stop: Cancelled) -> tuple[torch.Tensor, str, Optional[str]]:
        """(H(at)·direction, method, why it is no exact product)."""
        reason: Optional[str] = None
        if method != "finite-difference":
            try:
                return self._exact_product(at, direction, how, stop), "exact", None
            except BasinError as error:
                if error.code == "cancelled" or method == "exact":
                    raise
                reason = error.message
            except RuntimeError as error:
                self._curvature = None
                reason = f"an operation has no second derivative: {str(error).splitlines()[0]}"
                if method == "exact":
                    raise BasinError("unsupported", f"No exact product: {reason}.", "Ask for finite differences.") from error
        return self._difference_product(at, direction, how, stop), "finite-difference", reason

    def _exact_product(self, at: Vector, direction: Vector, how: How, stop: Cancelled) -> torch.Tensor:
        """Double backward; the first graph is kept for further products at the same point."""
        batches = self.selected(how)
        samples = sum(b.samples for b in batches)
        if self._curvature_scratch is None:
            self._curvature_scratch = Scratch(self.layout, self.objective.state)
        own, self.scratch = self.scratch, self._curvature_scratch
        parameters = self.layout.parameters
        total = self.layout.zeros()
        pieces = [x.to(p.dtype) for x, p in zip(self.layout.split(direction.flat), parameters)]
        try:
            with self._at(self._involved(batches, how), at, grad=True, inference=how.inference), exact_attention():
                kept = self._curvature
                if kept is None or not kept.fits(at, how, batches, parameters):
                    self._curvature = None
                    with torch.no_grad():
                        self._combine(at, [], [])
                        if how.refresh:
                            self._refresh(at, how.samples if how.split == "train" else None, stop)
                    kept = KeptGraphs(at, how, batches, parameters)
                for i, batch in enumerate(batches):
                    if stop():
                        raise cancelled()
                    gradients = kept.graphs[i] if i < len(kept.graphs) else None
                    if gradients is None:
                        free = free_memory()
                        self._reset_state(batch, at, how)
                        with torch.enable_grad():
                            value = self._value(batch, how.inference)
                            gradients = (
                                torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True)
                                if value.requires_grad
                                else tuple(None for _ in parameters)
                            )
                        kept.consider(gradients, free - free_memory(), len(batches))
                    with torch.enable_grad():
                        pairs = [(g, v) for g, v in zip(gradients, pieces) if g is not None and g.requires_grad]
                        if not pairs:
                            continue
                        products = torch.autograd.grad(
                            [g for g, _ in pairs],
                            parameters,
                            grad_outputs=[v.to(g.dtype) for g, v in pairs],
                            allow_unused=True,
                            retain_graph=kept.keeps,
                        )
                    with torch.no_grad():
                        total.add_(self.layout.gather(list(products)), alpha=batch.samples / samples)
                self._curvature = kept if kept.keeps else None
        finally:
            self.scratch = own
        return total

    def _difference_product(self, at: Vector, direction: Vector, how: How, stop: Cancelled) -> torch.Tensor:
        """(∇L(θ + hv) − ∇L(θ − hv)) / 2h."""
        h = difference_step(at.flat, direction.flat)
        if h is None:
            return self.layout.zeros()
        ahead = self.gradient(Vector(at.flat + h * direction.flat, at.state), how, stop)[1]
        behind = self.gradient(Vector(at.flat - h * direction.flat, at.state), how, stop)[1]
        return (ahead - behind) / (2 * h)

    @_retried
    def gauss_newton(
        self, at: Vector, direction: Vector, how: How, method: str, stop: Cancelled
    ) -> tuple[torch.Tensor, str, Optional[str]]:
        """(JᵀH_L J(at)·direction, method, why it is no exact product): gauss_newton.py."""
        return gauss_newton_product(self, at, direction, how, method, stop)

    @_retried
    def samples(
        self, members: list[Vector], how: How, input_gradient: bool, combine: Optional[str], stop: Cancelled
    ) -> dict[str, Any]:
        """SampleValues of src/protocol/evaluator.ts: samples.py."""
        return sample_values(self, members, how, input_gradient, combine, stop)

    @_retried
    def predicted(self, vector: Vector, how: How, stop: Cancelled) -> dict[str, Any]:
        """Predictions of src/protocol/evaluator.ts: samples.py."""
        return predicted_rows(self, vector, how, stop)

    # ---- statistics -----------------------------------------------------------------------------------------------
    @_retried
    def refreshed(
        self, vector: Vector, samples: Optional[int], chosen: Optional[tuple[int, int]], stop: Cancelled
    ) -> tuple[Vector, int, int]:
        """The vector with batch-norm statistics computed anew; how many tensors, on how many samples."""
        how = How("train", None if chosen is not None else samples, False, False, chosen)
        batches = self.selected(how)
        with self.placed_at(batches, vector, how):
            tensors = self._refresh(vector, batches, stop)
            state = [t.clone() for t in self.scratch.state]
        return Vector(vector.flat, [t.clone() for t in state]), tensors, sum(b.samples for b in batches)

    def _refresh(self, origin: Vector, samples: "Optional[int] | list[Batch]", stop: Cancelled) -> int:
        """Sample-weighted means over the train split, left in the scratch state; the weights are those placed."""
        batches = samples if isinstance(samples, list) else self.batches("train", samples)
        self._place_state(origin)
        count = 0
        with torch.no_grad():
            for program in {id(b.program): b.program for b in batches}.values():
                mine = [b for b in batches if b.program is program]
                with refreshing(program) as modules:
                    count += 2 * len(modules)
                    if not modules:
                        continue
                    for batch in mine:
                        if stop():
                            raise cancelled()
                        set_training(program.training, inference=False)
                        program.run(batch, grad=False, inference=False)
                set_training(program.training, inference=True)
        return count

    # ---- inside a session -----------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _at(
        self,
        batches: list[Batch],
        vector: Vector,
        *,
        grad: bool,
        inference: bool,
        weights: Optional[list[torch.Tensor]] = None,
    ) -> Iterator[None]:
        programs = {id(b.program): b.program for b in batches}.values()
        modules = list({id(m): m for p in programs for m in p.modules}.values())
        needs_grad = grad or any(p.needs_grad for p in programs)
        if vector.state is None:
            self._state_now = self.current_state()
        self._live_state = [s.now() for s in self.objective.state]
        with session(
            self.pristine(),
            modules,
            self.layout.parameters,
            self.objective.state,
            self.scratch,
            grad=needs_grad,
            inference_mode=self.inference_mode and not needs_grad,
            weights=weights,
        ):
            for program in programs:
                set_training(program.training, inference)
            with torch.no_grad():
                self._place_state(vector)
            yield

    def _place_state(self, vector: Vector) -> None:
        if self.objective.state:
            # A pass may have put other tensors, or other storage, into their places.
            for s, t, x in zip(self.objective.state, self._live_state, self.scratch.state):
                if s.owner is not None and s.owner.get(s.key) is not t:
                    s.owner[s.key] = t
                if t.data_ptr() != x.data_ptr():
                    t.data = x
            copy_into(self.scratch.state, vector.state if vector.state is not None else self._state_now)

    def _reset_state(self, batch: Batch, vector: Vector, how: How) -> None:
        """Each batch starts from the vector's state, as each step started from its own, where passes move it."""
        if how.refresh or not batch.program.moves_state or (how.inference and not self._always_moves):
            return
        with torch.no_grad():
            self._place_state(vector)

    def _value(self, batch: Batch, inference: bool) -> torch.Tensor:
        program = batch.program
        return program.loss_of(program.run(batch, grad=True, inference=inference))

    def _involved(self, batches: list[Batch], how: How) -> list[Batch]:
        return batches + self.objective.train if how.refresh else batches


def _combine_into(flat: torch.Tensor, origin: Vector, directions: list[Vector], point: list[float]) -> None:
    """flat ← origin + Σ point[i]·directions[i]"""
    if not directions:
        flat.copy_(origin.flat)
    for i, (c, d) in enumerate(zip(point, directions)):
        torch.add(origin.flat if i == 0 else flat, d.flat, alpha=c, out=flat)


def _bits(flat: torch.Tensor) -> int:
    """A sum over the bits of a vector: the same as long as nobody writes to it. Its length is a multiple of 16 elements."""
    return int(flat.view(torch.int64).sum())
