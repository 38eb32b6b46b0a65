#!/usr/bin/env node
/** The `basin` command: composition root of the command line. */
import { Command, CommanderError } from 'commander';
import { CommandLine } from './cli/command.ts';
import { addAverage } from './cli/commands/average.ts';
import { addCalibration } from './cli/commands/calibration.ts';
import { addContour } from './cli/commands/contour.ts';
import { addCurvatureMap } from './cli/commands/curvatureMap.ts';
import { addCycles } from './cli/commands/cycles.ts';
import { addEnsemble } from './cli/commands/ensemble.ts';
import { addExport } from './cli/commands/export.ts';
import { addFlatness } from './cli/commands/flatness.ts';
import { addLandscapes } from './cli/commands/landscapes.ts';
import { addLayers } from './cli/commands/layers.ts';
import { addNoise } from './cli/commands/noise.ts';
import { addFge, addSnapshotEnsemble, addSwa } from './cli/commands/furtherTraining.ts';
import { addLine } from './cli/commands/line.ts';
import { addDelete } from './cli/commands/delete.ts';
import { addHook } from './cli/commands/hook.ts';
import { addLabel } from './cli/commands/label.ts';
import { addRelease } from './cli/commands/release.ts';
import { addMargins } from './cli/commands/margins.ts';
import { addMeasures } from './cli/commands/measures.ts';
import { addReport } from './cli/commands/report.ts';
import { addRuns } from './cli/commands/runs.ts';
import { addScore } from './cli/commands/score.ts';
import { addSharpness } from './cli/commands/sharpness.ts';
import { addShow } from './cli/commands/show.ts';
import { addSpectrum } from './cli/commands/spectrum.ts';
import { addStability } from './cli/commands/stability.ts';
import { addTrain } from './cli/commands/train.ts';
import { addPoint } from './cli/commands/point.ts';
import { addSoup } from './cli/commands/soup.ts';
import { addSwag } from './cli/commands/swag.ts';
import { addSweep } from './cli/commands/sweep.ts';
import { addTrajectory } from './cli/commands/trajectory.ts';
import { EXIT_DONE, EXIT_USAGE } from './cli/output.ts';
import { findInstallation } from './engine/installation.ts';

const installation = findInstallation();
const cli = new CommandLine(
  new Command('basin')
    .description('A debugger for training: records training scripts and answers questions to their loss.')
    .version(installation.version)
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ showGlobalOptions: false }),
  installation,
);

// In the order in which help lists them.
for (const add of [
  addTrain,
  addHook,
  addRuns,
  addShow,
  addRelease,
  addLabel,
  addDelete,
  addContour,
  addCurvatureMap,
  addLandscapes,
  addLine,
  addSharpness,
  addSpectrum,
  addStability,
  addFlatness,
  addCalibration,
  addMargins,
  addMeasures,
  addNoise,
  addLayers,
  addTrajectory,
  addCycles,
  addSweep,
  addAverage,
  addPoint,
  addSoup,
  addSwag,
  addEnsemble,
  addSwa,
  addFge,
  addSnapshotEnsemble,
  addScore,
  addExport,
  addReport,
])
  add(cli);

cli.program
  .parseAsync()
  .catch((error: unknown) => {
    // Commander has printed what was wrong; help and version are no errors.
    if (!(error instanceof CommanderError)) throw error;
    cli.exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    const own = process.argv.slice(2, process.argv.includes('--') ? process.argv.indexOf('--') : undefined);
    if (cli.exitCode === EXIT_USAGE && own.includes('--json')) {
      const message = error.message.replace(/^error: /, '');
      process.stdout.write(`${JSON.stringify({ error: { code: 'bad-input', message } })}\n`);
    }
  })
  .finally(() => {
    process.exitCode = cli.exitCode;
  });
