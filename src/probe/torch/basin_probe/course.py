"""One objective's way through training: what records it, what its tapes were worth, what of its data is kept."""

from __future__ import annotations

from typing import Optional

from torch.optim import Optimizer

from .checks import CHECKED_STEPS, Check
from .epochs import Pass
from .evaluation_set import Gatherer
from .evaluator import Evaluator
from .groups import Group
from .objective import Objective, learning_rate
from .recording import ObjectiveRecording
from .sharing import Team
from .training_data import TrainingData
from .validation import ValidationGatherer


class Course:
    """Made with the first step; the order of :attr:`Probe.courses` is that of the objectives' numbers."""

    def __init__(self, objective: Objective, optimizers: list[Optimizer]) -> None:
        self.objective = objective
        self.team = Team(optimizers)
        self.recording: Optional[ObjectiveRecording] = None
        self.gatherer: Optional[Gatherer] = None
        #: over a loader, that the first gathered batch came with
        self.first_pass: Optional[Pass] = None
        self.validation: Optional[ValidationGatherer] = None
        self.evaluator: Optional[Evaluator] = None
        self.checks: list[Check] = []
        self.group: Optional[Group] = None
        #: the step under way evaluates a closure itself
        self.has_closure = False
        #: and has no gradient before it has
        self.awaits_closure = False
        #: of a process that will stand still; a script that only trains is not asked to train more
        self.training: Optional[TrainingData] = None
        self.untaped = 0
        #: samples of the last step that was taped, where they could be counted, and whether there is a row for each
        self.taped: Optional[int] = None
        self.by_rows = True
        self.written = 0
        #: the validation samples stand in the run
        self.validated = False
        #: of these, how many are among the training samples
        self.also_training = 0

    def learning_rate(self) -> Optional[float]:
        """That of the first optimizer."""
        return learning_rate(next(iter(self.team.members()), None))

    def wants_tape(self) -> bool:
        if self.gatherer is None:
            return True
        # One batch may be all of the data: a number that the tape froze shows at later steps alone.
        unchecked = len(self.checks) < CHECKED_STEPS and not self.watched
        return (unchecked or not self.gatherer.done) and self.untaped < CHECKED_STEPS

    @property
    def watched(self) -> bool:
        """Whether its loss is one that the script named."""
        return bool(self.objective.programs) and self.objective.programs[0].watched
