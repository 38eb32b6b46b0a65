import path from 'node:path';
import { Option } from 'commander';
import type { ModelReference } from '../../protocol/job.ts';
import type { ExportFormat } from '../../protocol/results.ts';
import { modelReference } from '../arguments.ts';
import { RUN, type CommandLine } from '../command.ts';

/** `basin export` */
export function addExport(cli: CommandLine): void {
  cli.run(
    cli
      .question('export', 'write a snapshot or built model for other programs')
      .argument('<run>', RUN[1])
      .argument('<model>', 'a step, first, last, or a model', modelReference)
      .addOption(
        new Option('--format <format>', 'tfjs: model.json and weights; pt: a PyTorch state_dict')
          .choices(['tfjs', 'pt', 'safetensors'])
          .makeOptionMandatory(),
      )
      .requiredOption('--to <dir>', 'directory to write into'),
    async (common, options, reference: string, model: ModelReference) =>
      cli.ask(common, {
        kind: 'export',
        run: reference,
        model,
        format: options.format as ExportFormat,
        to: path.resolve(options.to as string),
      }),
  );
}
