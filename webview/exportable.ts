/** What is drawn, as it can leave the page. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { Chart } from './chart.ts';
import type { TableData } from './dataTable.ts';

export interface Exportable {
  /** File name without its ending. */
  readonly name: string;
  readonly chart: Pick<Chart, 'png' | 'svg'> | null;
  readonly csv: () => string;
  readonly json: () => unknown;
  readonly tables: () => readonly TableData[];
  /** Above the picture in a document; the name when absent. */
  readonly title?: string;
  /** What is drawn, where it is a kept result: its sentences on trust go into a document with it. */
  readonly result?: AnalysisResult;
}
