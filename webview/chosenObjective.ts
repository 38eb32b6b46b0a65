/** What the panel knows, as far as it is of one of the run's objectives: a GAN's generator and critic each have their own. */
import type { RunView, StepColumns } from '../src/protocol/page.ts';
import type { PanelState } from './panelState.ts';

/** The state with the chosen objective as the run's only one; a state of a run with a single one as it is. */
export function ofObjective(state: PanelState, index: number): PanelState {
  const { view } = state;
  const objective = view?.run.objectives[index];
  if (view === null || objective === undefined || view.run.objectives.length === 1) return state;
  const own = <T extends { readonly objective: number }>(records: readonly T[]): readonly T[] =>
    records.filter((record) => record.objective === index);
  const only: RunView = {
    ...view,
    run: { ...view.run, objectives: [objective] },
    steps: own(view.steps),
    live: own(view.live),
    snapshots: view.objectiveSnapshots?.[index] ?? view.snapshots,
    models: own(view.models),
    results: view.results.filter((result) => result.objective === objective.name),
    ...(view.noise === undefined ? {} : { noise: own(view.noise) }),
    ...(view.events === undefined ? {} : { events: own(view.events) }),
  };
  return {
    ...state,
    view: only,
    running: state.running.filter(({ job }) => {
      const asked = 'objective' in job ? (job.objective ?? 0) : index;
      return asked === index || asked === objective.name;
    }),
  };
}

/** The columns' rows of one objective. */
export function columnsOfObjective(columns: StepColumns, index: number): StepColumns {
  const rows = [...columns.objective.keys()].filter((row) => columns.objective[row] === index);
  if (rows.length === columns.objective.length) return columns;
  const take = (values: Float64Array): Float64Array => Float64Array.from(rows, (row) => values[row] ?? NaN);
  return {
    step: take(columns.step),
    objective: take(columns.objective),
    epoch: take(columns.epoch),
    loss: take(columns.loss),
    learningRate: take(columns.learningRate),
    gradientNorm: take(columns.gradientNorm),
    updateNorm: take(columns.updateNorm),
    distance: take(columns.distance),
    time: take(columns.time),
  };
}
