import {
  flatnessDefaults as usual,
  flatnessMeasureNames,
  type FlatnessJob,
  type FlatnessMeasureName,
} from '../../protocol/flatness.ts';
import { numberFromZero, oneOrMoreOf, positiveNumber, wholeNumber } from '../arguments.ts';
import { at, given, RUN, withAt, withData, type CommandLine, evaluation } from '../command.ts';

/** `basin flatness` */
export function addFlatness(cli: CommandLine): void {
  cli.run(
    withData(
      withAt(
        cli
          .question('flatness', 'how the loss rises around a model, by the sharpness measures of five papers')
          .argument(...RUN),
      ),
    )
      .option(
        '--measures <names>',
        `some of ${flatnessMeasureNames.join(',')} (default: all)`,
        oneOrMoreOf<FlatnessMeasureName>(flatnessMeasureNames),
      )
      .option(
        '--epsilon <e>',
        "half-width of the worst case's box, times |w| + 1",
        positiveNumber,
        usual.epsilon,
      )
      .option('--steps <n>', 'most gradients of an ascent in the box', wholeNumber(2, 1000), usual.steps)
      .option(
        '--starts <n>',
        'ascents in the box, all but one from random points',
        wholeNumber(1, 100),
        usual.starts,
      )
      .option('--sam-rho <rho>', "radius of SAM's ball", positiveNumber, usual.samRho)
      .option(
        '--asam-rho <rho>',
        "radius of ASAM's ball, in units of |w| + eta",
        positiveNumber,
        usual.asamRho,
      )
      .option('--eta <eta>', 'what ASAM adds to |w|; 0 makes it free of scale', numberFromZero, usual.eta)
      .option('--ascent-steps <n>', 'steps of SAM and ASAM', wholeNumber(1, 1000), usual.ascentSteps)
      .option(
        '--sigma <share>',
        "random perturbations, as a share of each filter's norm",
        positiveNumber,
        usual.sigma,
      )
      .option(
        '--repeats <n>',
        'random directions, each looked at both ways',
        wholeNumber(2, 10_000),
        usual.repeats,
      )
      .option('--no-twin', 'leave out the check on a rescaled twin of the model')
      .option('--seed <n>', 'of the random directions', wholeNumber(0), usual.seed),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'flatness',
        run: reference,
        ...evaluation(options),
        ...at(options),
        ...given<Partial<FlatnessJob>>(
          options,
          'measures',
          'epsilon',
          'steps',
          'starts',
          'samRho',
          'asamRho',
          'eta',
          'ascentSteps',
          'sigma',
          'repeats',
          'twin',
          'seed',
        ),
      }),
    ({ measures }) => {
      const asked = (measures as FlatnessMeasureName[] | undefined) ?? flatnessMeasureNames;
      const oneOf = (...names: FlatnessMeasureName[]): string | null =>
        names.some((name) => asked.includes(name)) ? null : `${names.join(' or ')} among the --measures`;
      return {
        epsilon: oneOf('worst-case'),
        steps: oneOf('worst-case'),
        starts: oneOf('worst-case'),
        samRho: oneOf('sam'),
        asamRho: oneOf('asam'),
        eta: oneOf('asam'),
        ascentSteps: oneOf('sam', 'asam'),
        sigma: oneOf('average-case'),
        repeats: oneOf('average-case'),
        seed: oneOf('worst-case', 'average-case'),
      };
    },
  );
}
