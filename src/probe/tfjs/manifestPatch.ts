/** What the probe changes in run.json; the rest is the launcher's. */
import type { RunManifest } from '../../protocol/run.ts';

export type ManifestPatch = Partial<
  Pick<
    RunManifest,
    | 'state'
    | 'stateReason'
    | 'ended'
    | 'script'
    | 'sources'
    | 'versions'
    | 'framework'
    | 'backend'
    | 'process'
    | 'successor'
  >
> & {
  readonly recording?: Partial<
    Pick<RunManifest['recording'], 'snapshotEvery' | 'weightsEvery' | 'layersEvery' | 'requestedEvery'>
  >;
};

type EvaluationSplit = NonNullable<RunManifest['evaluationSet']>['train'];

export interface EvaluationSetMeta {
  readonly split: 'train' | 'validation';
  readonly info: EvaluationSplit;
}
