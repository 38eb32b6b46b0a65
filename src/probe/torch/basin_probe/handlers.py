"""Answers to every request of the evaluator wire, on the training thread (src/protocol/evaluator.ts)."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Callable, Optional, Protocol

import torch

from .checkpoint import Checkpoint, assign, statistics
from .elementwise import elementwise, normalised, restrict
from .errors import BasinError
from .evaluator import Evaluator
from .export import export_model
from .objective import Objective
from .program import Batch
from .processes import backend, versions
from .questions import How, Vector
from .safetensors import write_file
from .scores import Loss
from .second_moment import second_moment
from .training_data import TrainingData
from .vectors import dot, gram, load_file, norm, random_direction, save_tensors
from .wire import EVALUATOR_PROTOCOL, Request


class Host(Protocol):
    """What the recording side gives."""

    role: str

    def evaluator(self, index: int) -> Evaluator: ...

    def status(self, objective: Objective) -> dict[str, Any]: ...

    def optimizers(self, objective: Objective) -> list[torch.optim.Optimizer]:
        """Those that move the objective; none in a process that does not train."""

    def training_data(self, objective: Objective) -> TrainingData:
        """:raises BasinError: ``busy`` while the process trains"""

    def resume(self) -> None:
        """Lets a held process end, and a frozen one exit; returns at once."""

    #: what a debugger keeps, by name; of the whole process, so that one that comes back finds them
    checkpoints: dict[str, Checkpoint]

    def gradient(self, objective: Objective) -> torch.Tensor:
        """
        The gradient of the step under way, flat.

        :raises BasinError: ``not-allowed`` where training does not stand inside of a step
        """

    def pin(self, objective: Objective, of: Optional[int] = None) -> int:
        """Writes the present weights as a snapshot that stays; its step."""

    def require_boundary(self, objective: Objective) -> None:
        """:raises BasinError: ``not-allowed``, ``unsupported`` where weights must not be written"""

    def rewound(self, objective: Objective, to: int) -> None:
        """Other weights were put into the model: those of a step."""

    def branch(self, objective: Objective, directory: str) -> dict[str, Any]:
        """
        Goes on recording in another run; where training stands in it.

        :raises BasinError: ``not-allowed``, ``unsupported`` where that cannot be
        """


class Session:
    """One connection's vectors and answers."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.vectors: dict[str, Vector] = {}
        self.drawn: dict[str, tuple[Batch, ...]] = {}
        #: spent on answers to this connection
        self.seconds = 0.0
        self._index = 0

    @property
    def _evaluator(self) -> Evaluator:
        return self.host.evaluator(self._index)

    @property
    def _objective(self) -> Objective:
        return self._evaluator.objective

    @property
    def objective(self) -> int:
        """The index that hello named."""
        return self._index

    def answer(self, request: Request) -> Any:
        params = request.params
        try:
            method: Callable[[dict, Callable[[], bool]], Any] = getattr(self, f"_on_{_snake(request.method)}")
            return method(params, request.stopped)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, KeyError) and error.args and error.args[0] not in params:
                raise BasinError("bad-input", f"{request.method} needs {error.args[0]!r}.") from error
            raise

    # ---- the process ----------------------------------------------------------------------------------------------
    def _on_hello(self, params: dict, stop: Any) -> Any:
        self._index = int(params["objective"])
        evaluator = self._evaluator
        objective = evaluator.objective

        def size(batches: list) -> Optional[dict[str, Any]]:
            if not batches:
                return None
            unit = {} if all(b.program.counted for b in batches) else {"unit": "batches"}
            return {"samples": sum(b.samples for b in batches), "batches": len(batches), **unit}

        return {
            "protocol": EVALUATOR_PROTOCOL,
            "role": self.host.role,
            "framework": "torch",
            "backend": backend(objective.layout.device),
            "versions": versions(),
            "objectiveIndex": self._index,
            "objective": objective.info(),
            "modes": evaluator.modes(),
            "hasStatistics": evaluator.has_statistics(),
            "predictions": evaluator.predicts(),
            "train": size(objective.train),
            "validation": size(objective.validation),
        }

    def _on_status(self, params: dict, stop: Any) -> Any:
        return {**self.host.status(self._objective), "connectionSeconds": self.seconds}

    def _on_resume(self, params: dict, stop: Any) -> Any:
        self.host.resume()
        return {}

    # ---- vectors --------------------------------------------------------------------------------------------------
    def _vector(self, name: Any) -> Vector:
        if not isinstance(name, str) or name not in self.vectors:
            raise BasinError("not-found", f"There is no vector {name!r}.", "Load it first.")
        return self.vectors[name]

    def _operand(self, operand: Any) -> Vector:
        if isinstance(operand, dict):
            return load_file(self._objective, operand["file"])
        return self._vector(operand)

    def _keep(self, name: Any, vector: Vector) -> dict[str, float]:
        if not isinstance(name, str) or not name:
            raise BasinError("bad-input", "A vector needs a name.")
        self.vectors[name] = vector
        return {"norm": norm(vector.flat)}

    def _on_load(self, params: dict, stop: Any) -> Any:
        source = params["from"]
        if source == "current":
            return self._keep(params["into"], self._evaluator.current())
        if source == "gradient":
            return self._keep(params["into"], Vector(self.host.gradient(self._objective), None))
        if source == "second-moment":
            objective = self._objective
            return self._keep(params["into"], Vector(second_moment(objective, self.host.optimizers(objective)), None))
        return self._keep(params["into"], load_file(self._objective, source["file"]))

    def _on_combine(self, params: dict, stop: Any) -> Any:
        objective, into, terms = self._objective, params["into"], params["terms"]
        how_state = params["state"]
        # A sum grows in the place of what it replaces, which takes no second vector. Should a later term fail, both are gone.
        shares = [float(term["coefficient"]) for term in terms if term["vector"] == into]
        own = self.vectors.pop(into, None) if len(shares) <= 1 and isinstance(into, str) else None
        flat = objective.layout.zeros() if own is None else own.flat
        if own is not None:
            flat.mul_(shares[0]) if shares else flat.zero_()
        sums: Optional[list[torch.Tensor]] = None
        for i, term in enumerate(terms):
            vector = own if own is not None and term["vector"] == into else self._operand(term["vector"])
            coefficient = float(term["coefficient"])
            if vector is not own:
                flat.add_(vector.flat, alpha=coefficient)
            if how_state == "combine":
                if vector.state is None:
                    raise BasinError("bad-input", "A vector without state cannot have its state combined.")
                if i == 0:
                    # Tensors of whole numbers are not averaged: the first term's stand.
                    sums = [
                        coefficient * t.double() if t.is_floating_point() else t.clone() for t in vector.state
                    ]
                else:
                    for total, t in zip(sums or [], vector.state):
                        if t.is_floating_point():
                            total.add_(t.double(), alpha=coefficient)
        state: Optional[list[torch.Tensor]] = None
        if how_state == "combine" and sums is not None:
            state = [x.to(s.now().dtype) for x, s in zip(sums, objective.state)]
        elif how_state is not None and how_state != "combine":
            state = own.state if own is not None and how_state == into else self._operand(how_state).state
        return self._keep(into, Vector(flat, state))

    def _on_dots(self, params: dict, stop: Any) -> Any:
        return {"values": [dot(self._vector(a).flat, self._vector(b).flat) for a, b in params["pairs"]]}

    def _on_gram(self, params: dict, stop: Any) -> Any:
        operands = [o if isinstance(o, dict) else self._vector(o) for o in params["vectors"]]
        origin = params["origin"]
        base = origin if origin is None or isinstance(origin, dict) else self._vector(origin)
        return {"rows": gram(self._objective, operands, base)}

    def _on_random(self, params: dict, stop: Any) -> Any:
        include = params["include"]
        flat = random_direction(
            self._objective,
            int(params["seed"]),
            self._vector(params["like"]),
            params["normalisation"],
            bool(include["bias"]),
            bool(include["norm"]),
        )
        return self._keep(params["into"], Vector(flat, None))

    def _on_normalise(self, params: dict, stop: Any) -> Any:
        include, vector = params["include"], self._vector(params["vector"])
        like = self._vector(params["like"]).flat
        flat = normalised(
            self._objective, vector.flat, like, params["normalisation"], bool(include["bias"]), bool(include["norm"])
        )
        return self._keep(params["vector"], Vector(flat, vector.state))

    def _on_restrict(self, params: dict, stop: Any) -> Any:
        flat = restrict(self._objective, self._vector(params["vector"]).flat, params["parameters"])
        return self._keep(params["into"], Vector(flat, None))

    def _on_elementwise(self, params: dict, stop: Any) -> Any:
        operands = [self._vector(name).flat for name in params["of"]]
        flat = elementwise(self._objective, params["function"], operands, params.get("constant"))
        return self._keep(params["into"], Vector(flat, None))

    def _on_orthogonalise(self, params: dict, stop: Any) -> Any:
        vector = self._vector(params["vector"])
        flat = vector.flat.clone()
        against = [self._vector(name).flat for name in params["against"]]
        coefficients = [0.0] * len(against)
        for _ in range(2):
            found = [dot(flat, q) for q in against]
            for i, (c, q) in enumerate(zip(found, against)):
                flat.add_(q, alpha=-c)
                coefficients[i] += c
        kept = self._keep(params["vector"], Vector(flat, vector.state))
        return {"coefficients": coefficients, "norm": kept["norm"]}

    def _on_release(self, params: dict, stop: Any) -> Any:
        return {"released": sum(self.vectors.pop(name, None) is not None for name in params["vectors"])}

    # ---- questions ------------------------------------------------------------------------------------------------
    def _how(self, params: dict) -> How:
        how = params["how"]
        data = how["data"]
        split, mode = data["split"], how["mode"]
        if split not in ("train", "validation") or mode not in ("as-trained", "inference"):
            raise BasinError("bad-input", f"There is no split {split!r} or mode {mode!r}.")
        if mode not in self._evaluator.modes():
            raise BasinError(
                "unsupported",
                "This loss cannot be evaluated in inference mode.",
                "Ask for the mode as-trained.",
            )
        inference = mode == "inference"
        refresh = bool(how["refresh"]) and inference
        chosen = _range(data)
        drawn = self._drawn(data)
        samples = None if chosen is not None or drawn is not None else data.get("samples")
        return How(split, None if samples is None else int(samples), inference, refresh, chosen, drawn)

    def _drawn(self, data: dict) -> Optional[tuple[Batch, ...]]:
        name = data.get("drawn")
        if name is None:
            return None
        if name not in self.drawn:
            raise BasinError("not-found", f"No batches were drawn under the name {name!r}.", "Draw them first.")
        return self.drawn[name]

    def _on_loss(self, params: dict, stop: Callable[[], bool]) -> Any:
        start = time.perf_counter()
        directions = [self._vector(name) for name in params["directions"]]
        points = [[float(c) for c in point] for point in params["coefficients"]]
        if any(len(point) != len(directions) for point in points):
            raise BasinError("bad-input", "Each point needs one coefficient for each direction.")
        found = self._evaluator.losses(self._vector(params["origin"]), directions, points, self._how(params), stop)
        return {"points": [_loss(x) for x in found], "seconds": time.perf_counter() - start}

    def _on_score(self, params: dict, stop: Callable[[], bool]) -> Any:
        members = [self._vector(name) for name in params["members"]]
        if not members:
            raise BasinError("bad-input", "A score needs at least one member.")
        found = self._evaluator.score(members, self._how(params), _combination(params), stop)
        return {**_loss(found), "accuracy": found.accuracy, "accuracyStandardError": found.accuracy_standard_error}

    def _on_samples(self, params: dict, stop: Callable[[], bool]) -> Any:
        members = [self._vector(name) for name in params["members"]]
        if not members:
            raise BasinError("bad-input", "There is nothing to evaluate.")
        gradient = bool(params["inputGradient"])
        return self._evaluator.samples(members, self._how(params), gradient, _combination(params), stop)

    def _on_predictions(self, params: dict, stop: Callable[[], bool]) -> Any:
        return self._evaluator.predicted(self._vector(params["vector"]), self._how(params), stop)

    def _on_draw(self, params: dict, stop: Callable[[], bool]) -> Any:
        seed, start, count = (params[k] for k in ("seed", "from", "count"))
        if any(type(x) is not int or x < 0 for x in (seed, start, count)):
            raise BasinError("bad-input", "Batches are drawn by a seed, from a position, and so many: whole numbers from 0.")
        training = self.host.training_data(self._objective)
        batches, source = training.draw(seed, start, count, stop)
        self.drawn[params["into"]] = tuple(batches)
        return {"source": source, "samples": sum(b.samples for b in batches)}

    def _on_gradient(self, params: dict, stop: Callable[[], bool]) -> Any:
        at, how, keeps = self._vector(params["at"]), self._how(params), bool(params.get("keepState"))
        if keeps and how.inference:
            raise BasinError("bad-input", "State is kept of what is evaluated as trained.", "Ask for the mode as-trained.")
        loss, flat, state = self._evaluator.gradient_and_state(at, how, stop)
        if keeps and state is not None:
            self.vectors[params["at"]] = Vector(at.flat, state)
        return {"loss": loss, **self._keep(params["into"], Vector(flat, None))}

    def _on_hvp(self, params: dict, stop: Callable[[], bool]) -> Any:
        method = params["method"]
        if method not in ("auto", "exact", "finite-difference"):
            raise BasinError("bad-input", f"There is no method {method!r}.")
        matrix = params.get("matrix", "hessian")
        if matrix not in ("hessian", "gauss-newton"):
            raise BasinError("bad-input", f"There is no matrix {matrix!r}.", "Ask for hessian or gauss-newton.")
        product = self._evaluator.hvp if matrix == "hessian" else self._evaluator.gauss_newton
        flat, used, reason = product(
            self._vector(params["at"]), self._vector(params["vector"]), self._how(params), method, stop
        )
        return {"method": used, "reason": reason, **self._keep(params["into"], Vector(flat, None))}

    def _on_refresh_statistics(self, params: dict, stop: Callable[[], bool]) -> Any:
        data = params["data"]
        samples = data.get("samples")
        vector, tensors, count = self._evaluator.refreshed(
            self._vector(params["vector"]), None if samples is None else int(samples), _range(data), stop
        )
        self.vectors[params["vector"]] = vector
        return {"tensors": tensors, "samples": count}

    def _on_verify(self, params: dict, stop: Any) -> Any:
        batches = self._objective.train
        index = int(params["batch"])
        if not 0 <= index < len(batches):
            raise BasinError("bad-input", f"There is no batch {index}; there are {len(batches)}.")
        batch = batches[index]
        replayed = self._evaluator.replay(self._vector(params["vector"]), batch)
        recorded = math.nan if batch.loss is None else batch.loss
        return {"step": batch.step, "recorded": recorded, "replayed": replayed}

    # ---- files ----------------------------------------------------------------------------------------------------
    def _on_save(self, params: dict, stop: Any) -> Any:
        file = params["file"]
        os.makedirs(os.path.dirname(file), exist_ok=True)
        tensors = save_tensors(self._objective, self._vector(params["vector"]))
        return {"bytes": write_file(file, tensors, {str(k): str(v) for k, v in params["metadata"].items()})}

    def _on_export_model(self, params: dict, stop: Any) -> Any:
        vector = self._vector(params["vector"])
        return {"files": export_model(self._evaluator, vector, params["directory"], params["format"])}

    # ---- the debugger's part --------------------------------------------------------------------------------------
    def _on_snapshot(self, params: dict, stop: Any) -> Any:
        of = params.get("of")
        return {"step": self.host.pin(self._objective, None if of is None else int(of))}

    def _on_statistics(self, params: dict, stop: Any) -> Any:
        return {"parameters": statistics(self._objective, self._vector(params["vector"]).flat)}

    def _on_checkpoint(self, params: dict, stop: Any) -> Any:
        kept = Checkpoint(self._objective, self.host.optimizers(self._objective))
        self.host.checkpoints[params["name"]] = kept
        return kept.contents()

    def _on_rewind(self, params: dict, stop: Any) -> Any:
        name, objective = params["name"], self._objective
        kept = self.host.checkpoints.get(name)
        if kept is None:
            raise BasinError("not-found", f"There is no checkpoint {name}.", "Go back to a snapshot instead.")
        self.host.require_boundary(objective)
        contents = kept.restore(objective, self.host.optimizers(objective))
        self.host.rewound(objective, kept.step)
        return contents

    def _on_assign(self, params: dict, stop: Any) -> Any:
        objective = self._objective
        self.host.require_boundary(objective)
        step = int(params.get("of", objective.steps))
        contents = assign(objective, self.host.optimizers(objective), self._vector(params["vector"]), step)
        self.host.rewound(objective, step)
        return contents

    def _on_forget(self, params: dict, stop: Any) -> Any:
        for name in params["names"]:
            self.host.checkpoints.pop(name, None)
        return {}

    def _on_branch(self, params: dict, stop: Any) -> Any:
        return self.host.branch(self._objective, params["directory"])


def _range(data: dict[str, Any]) -> Optional[tuple[int, int]]:
    """DataSelection.batches."""
    batches = data.get("batches")
    if batches is None:
        return None
    whole = isinstance(batches, list) and len(batches) == 2 and all(type(x) is int for x in batches)
    if not whole:
        raise BasinError("bad-input", f"{batches!r} is no range of batches.", "Give two whole numbers.")
    return batches[0], batches[1]


def _combination(params: dict[str, Any]) -> Optional[str]:
    combine = params.get("combine")
    if combine not in (None, "probability", "logit", "mean"):
        raise BasinError("bad-input", f"There is no combination {combine!r}.", "Ask for probability, logit or mean.")
    return combine


def _loss(x: Loss) -> dict[str, Any]:
    return {
        "loss": x.loss,
        "standardError": x.standard_error,
        "standardErrorFrom": x.standard_error_from,
        "samples": x.samples,
    }


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
