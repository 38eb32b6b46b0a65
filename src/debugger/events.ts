/** Training events that a run can be made to stop at: what a debugger calls exceptions. */

export interface EventFilter {
  readonly id: TrainingEventId;
  readonly label: string;
  readonly description: string;
  readonly default: boolean;
}

export type TrainingEventId =
  | 'non-finite'
  | 'loss-spike'
  | 'edge-of-stability'
  | 'plateau'
  | 'limit-cycle'
  | 'gradient-vanished'
  | 'gradient-exploded'
  | 'dead-units';

export const eventFilters: readonly EventFilter[] = [
  {
    id: 'non-finite',
    label: 'NaN or infinity',
    description: 'Before the update that would spread it, with the parameter where it began.',
    default: true,
  },
  {
    id: 'loss-spike',
    label: 'Loss spikes',
    description: 'Three of five losses far above those of the hundred before: one far out is only a batch.',
    default: false,
  },
  {
    id: 'edge-of-stability',
    label: 'Edge of stability',
    description: "λ₁, measured while it trains, comes within a tenth of the optimizer's bound.",
    default: false,
  },
  {
    id: 'plateau',
    label: 'Plateau',
    description: 'With 95 % confidence the loss has fallen by less than 1 % over a hundred steps or more.',
    default: false,
  },
  {
    id: 'limit-cycle',
    label: 'Limit cycle',
    description: 'The updates repeat an epoch later. Looked for from step 50 on, in the first 16,000 steps.',
    default: false,
  },
  {
    id: 'gradient-vanished',
    label: 'Vanishing gradient',
    description: "A parameter's gradient is below 1e-8 of its weights.",
    default: false,
  },
  {
    id: 'gradient-exploded',
    label: 'Exploding gradient',
    description: "A parameter's gradient is a hundred times its median over the last fifty steps.",
    default: false,
  },
  {
    id: 'dead-units',
    label: 'Dead units',
    description: "More than a fifth of a kernel's units have had no gradient in twenty successive steps.",
    default: false,
  },
];

export interface TrainingEvent {
  readonly id: TrainingEventId;
  /** What happened, in a sentence. */
  readonly text: string;
  /** The parameter it is about. */
  readonly parameter?: string;
}
