import { Option } from 'commander';
import type { SpectrumJob } from '../../protocol/curvature.ts';
import { names, positiveNumber, wholeNumber } from '../arguments.ts';
import { at, given, RUN, withAt, withData, type CommandLine, evaluation } from '../command.ts';

/** `basin spectrum` */
export function addSpectrum(cli: CommandLine): void {
  cli.run(
    withData(
      withAt(
        cli
          .question(
            'spectrum',
            "the loss Hessian's largest and smallest eigenvalues, its trace and its spectral density",
          )
          .argument(...RUN),
      ),
    )
      .option('--top <k>', 'how many of the largest eigenvalues', wholeNumber(0, 20), 5)
      .option('--bottom <k>', 'how many of the smallest eigenvalues', wholeNumber(0, 20), 1)
      .option('--no-trace', 'leave the trace out')
      .option(
        '--trace-tolerance <share>',
        'how narrow the 95 % interval of the trace is to be',
        positiveNumber,
        0.05,
      )
      .option('--density', 'the spectral density as well', false)
      .option(
        '--bandwidth <width>',
        'standard deviation of the Gaussian that smooths the density',
        positiveNumber,
      )
      .option('--per-layer', "each layer's diagonal block as well", false)
      .option(
        '--parameters <names>',
        'only the diagonal block of these parameters, with commas between them',
        names,
      )
      .addOption(
        new Option('--matrix <matrix>', 'the curvature matrix')
          .choices(['hessian', 'gauss-newton'])
          .default('hessian'),
      )
      .option('--seed <n>', 'of the random vectors', wholeNumber(0), 1),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'spectrum',
        run: reference,
        ...evaluation(options),
        ...at(options),
        ...given<Pick<SpectrumJob, 'top' | 'bottom' | 'trace' | 'density'> & Partial<SpectrumJob>>(
          options,
          'top',
          'bottom',
          'trace',
          'density',
          'traceTolerance',
          'bandwidth',
          'perLayer',
          'parameters',
          'matrix',
          'seed',
        ),
      }),
    ({ density, trace }) => ({
      bandwidth: density === true ? null : '--density',
      traceTolerance: trace === false ? 'the trace, which --no-trace leaves out' : null,
    }),
  );
}
