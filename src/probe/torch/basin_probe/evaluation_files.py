"""When which samples of an objective are written into the run, and what the run says of them."""

from __future__ import annotations

from typing import Any, Callable, Optional

from .course import Course
from .evaluation_set import can_keep, encode
from .evaluator import Evaluator
from .packing import pack
from .program import Batch
from .run_writer import RunWriter


class EvaluationFiles:
    """The files of the process's run; those of another one once it has branched."""

    def __init__(
        self,
        writer: Callable[[], Optional[RunWriter]],
        note: Callable[[str], None],
        evaluator: Callable[[Course], Evaluator],
    ) -> None:
        """:param writer: of the present run; None in a process that records nothing"""
        self._writer = writer
        self._note = note
        self._evaluator = evaluator

    def tell_objective(self, course: Course) -> None:
        """What is known of the objective, for the run's manifest."""
        objective = course.objective
        if objective.train and objective.loss_name is None:
            sites = self._evaluator(course).sites(objective.train[0].program)
            objective.loss_name = sites[0].name if sites else None
        writer = self._writer()
        if writer is not None:
            writer.objective(objective.index, objective.info(), None)

    def gathered(self, course: Course) -> None:
        """The first batch at once, so that a run killed early can be asked; then at the fourth, and all of them."""
        count = len(course.objective.train)
        gatherer = course.gatherer
        if gatherer is not None and count != course.written and (count in (1, 4) or gatherer.done):
            self.write(course, "train")

    def tend_validation(self, course: Course, ended: bool = False) -> None:
        """Between steps: writes the validation samples once it can be told which of them are training's."""
        validation, gatherer = course.validation, course.gatherer
        if validation is None or gatherer is None or course.validated:
            return
        if not ended and not (validation.done and gatherer.done):
            return
        also = validation.review()
        if validation.done or ended:
            course.validated = True
            if validation.why_none is not None:
                self._note(validation.why_none)
            course.also_training = also
            self.write(course, "validation")

    def write(self, course: Course, split: str) -> None:
        """All batches of a split that can be kept; of the first objective with a word on where they came from."""
        objective = course.objective
        gathered = objective.train if split == "train" else objective.validation
        writer = self._writer()
        if not gathered or writer is None:
            return
        if split == "train":
            course.written = len(gathered)
            self.tell_objective(course)
        batches = [b for b in gathered if can_keep(b)]
        if len(batches) < len(gathered):
            kinds = sorted({f"{t.dtype}, {t.layout}" for b in gathered for t in b.leaves if pack(t) is None})
            self._note(
                f"{len(gathered) - len(batches)} of {len(gathered)} batches of {split} samples cannot be kept, as they hold tensors"
                f" that Basin's files know no way to hold ({'; '.join(kinds)}): they are there while the process lives."
            )
        if not batches:
            return
        tensors, metadata = encode(batches)
        info = _told(course, split, batches) if objective.index == 0 else None
        writer.evaluation_set(objective.index, split, tensors, metadata, info)


def _told(course: Course, split: str, batches: list[Batch]) -> dict[str, Any]:
    """What the run says of a split (``evaluationSet`` in its manifest)."""
    samples = sum(b.samples for b in batches)
    word = "training" if split == "train" else "validation"
    counted = all(b.program.counted for b in batches)
    what = f"{samples} {word} samples, batches of {batches[0].samples}" if counted else f"{samples} {word} batches"
    repeats = course.gatherer.repeats if split == "train" and course.gatherer is not None else 0
    also = course.also_training if split == "validation" else 0
    validation = course.validation if split == "validation" else None
    source = validation.source if validation is not None else None
    unsure = validation is not None and not validation.sure and not also
    return {
        "samples": samples,
        "batches": len(batches),
        "source": f"the first {what}"
        + (f", from {source}" if source else "")
        + (f", {repeats} of them drawn before" if repeats else "")
        + (f", {also} of them training samples as well" if also else "")
        + (", which the script may train on as well" if unsure else ""),
        **({"alsoTraining": also} if also else {}),
        **({"mayBeTrained": True} if unsure else {}),
    }
