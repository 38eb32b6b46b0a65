import { curvatureMapDefaults as usual, type CurvatureMapJob } from '../../protocol/curvatureMap.ts';
import { oddNumber, properFraction } from '../arguments.ts';
import { given, planeOptions, RUN, withData, withPlane, type CommandLine, evaluation } from '../command.ts';

/** `basin curvature-map` */
export function addCurvatureMap(cli: CommandLine): void {
  cli.run(
    withPlane(
      withData(
        cli
          .question('curvature-map', 'the extreme eigenvalues of the Hessian over a plane')
          .argument(...RUN)
          .option('--size <points>', 'points along each axis', oddNumber, usual.size)
          .option(
            '--tolerance <share>',
            'how well both ends are to be known, as a share of the larger one',
            properFraction,
            usual.tolerance,
          )
          .option('--resume', 'go on from where the same question was interrupted or killed'),
      ),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'curvature-map',
        run: reference,
        ...evaluation(options),
        ...given<Pick<CurvatureMapJob, 'size' | 'tolerance' | 'resume'>>(
          options,
          'size',
          'tolerance',
          'resume',
        ),
        ...planeOptions(options),
      }),
  );
}
