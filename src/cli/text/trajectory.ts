/** The path through weight space as a person reads it on a terminal. */
import { finerPath, type Path, type PathPoint, type TrajectoryResult } from '../../protocol/trajectory.ts';
import { figures, newTable } from './table.ts';

const ROWS = 12;

export function trajectoryTable({ snapshots, sketch }: TrajectoryResult): string {
  const paths = [
    { path: snapshots, of: 'snapshots' },
    { path: sketch, of: 'recorded steps, in the sketch' },
  ].flatMap(({ path, of }) => (path === null ? [] : [{ path, of }]));
  const walked = finerPath(snapshots, sketch);
  return [
    ...paths.map(({ path, of }) => componentsTable(path, of)),
    ...(walked === null ? [] : [pointsTable(walked, walked === sketch ? 'step' : 'snapshot')]),
  ].join('\n');
}

function componentsTable({ components, measured }: Path, of: string): string {
  const table = newTable([`component of ${measured} ${of}`, 'share of variance', 'random walk']);
  components.forEach(({ share, randomWalk }, k) =>
    table.push([k + 1, percentage(share), percentage(randomWalk)]),
  );
  return table.toString();
}

function pointsTable({ points, plane }: Path, what: string): string {
  const table = newTable([what, 'speed', 'turns by', 'from start', 'from start/√step', 'off the plane']);
  const first = points[0]?.step ?? 0;
  for (const { step, speed, turning, fromStart, distance } of rows(points)) {
    table.push([
      step,
      figures(speed, 3),
      turning === null ? '–' : `${figures(turning, 3)}°`,
      figures(fromStart, 3),
      figures(step > first ? fromStart / Math.sqrt(step - first) : null, 3),
      plane.width > 0 ? `${figures(distance / plane.width, 2)} widths` : '–',
    ]);
  }
  return table.toString();
}

function rows(points: readonly PathPoint[]): readonly PathPoint[] {
  if (points.length <= ROWS) return points;
  return Array.from(
    { length: ROWS },
    (_, k) => points[Math.round((k * (points.length - 1)) / (ROWS - 1))] as PathPoint,
  );
}

function percentage(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
