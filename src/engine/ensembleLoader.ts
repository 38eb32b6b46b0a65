/** The files that load an exported ensemble in its script's own framework; they use nothing of Basin. */
import type { ExportFormat } from '../protocol/results.ts';
import type { RunManifest } from '../protocol/run.ts';

export const ENSEMBLE_MANIFEST = 'ensemble.json';

export function ensembleLoader(
  format: ExportFormat,
  framework: RunManifest['framework'],
): { readonly name: string; readonly text: string } {
  if (framework === 'torch') return { name: 'load_ensemble.py', text: python };
  const [opening, member] =
    format === 'tfjs' ? [fromModelJson, memberOfJson] : [fromSafetensors, memberOfWeights];
  return { name: 'load-ensemble.mjs', text: `${opening}${ensembleOf}${member}${combining}` };
}

const python = `"""
The ensemble beside this file, combined as Basin scored it.

    from load_ensemble import Ensemble
    ensemble = Ensemble(Net)  # what makes the script's own model, without arguments
    prediction = ensemble(x)  # of the kind that the loss takes: logits for logits
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F


def _state(file):
    if file.suffix == ".pt":
        return torch.load(file, map_location="cpu", weights_only=True)
    from safetensors.torch import load_file

    return load_file(file)


def combine(outputs, how, kind):
    """The ensemble's prediction of its members' outputs, in their own form."""
    dtype, n = outputs[0].dtype, len(outputs)
    many = torch.stack([o.double() for o in outputs])
    axis = 1 if outputs[0].dim() > 1 else 0
    if how == "mean" or kind == "values":
        return torch.stack(outputs).mean(0)
    if how == "logit":
        if kind == "binary-probabilities":
            logits = many.log().clamp(min=-100) - torch.log1p(-many).clamp(min=-100)
            return torch.sigmoid(logits.mean(0)).to(dtype)
        mean = many.mean(0)
        return (F.log_softmax(mean, axis) if kind == "log-probabilities" else mean).to(dtype)
    if kind == "logits":
        logs = torch.stack([F.log_softmax(o.double(), axis) for o in outputs])
        return (torch.logsumexp(logs, 0) - math.log(n)).to(dtype)
    if kind == "log-probabilities":
        return (torch.logsumexp(many, 0) - math.log(n)).to(dtype)
    if kind == "binary-logits":
        return torch.logit(torch.sigmoid(many).mean(0)).to(dtype)
    return torch.stack(outputs).mean(0)


class Ensemble(torch.nn.Module):
    """
    :param make_model: gives a new instance of the model that was trained
    :param directory: where ensemble.json is
    :param prediction: makes what the loss takes of what a model gives; where ensemble.json has no path to it, it is needed
    """

    def __init__(self, make_model, directory=Path(__file__).parent, prediction=None):
        super().__init__()
        self.prediction = prediction
        directory = Path(directory)
        self.manifest = json.loads((directory / "ensemble.json").read_text())
        if self.manifest["output"] is None:
            raise ValueError("It is not known what the members predict: set \\"output\\" in ensemble.json.")
        if self.manifest.get("path", []) is None and prediction is None:
            raise ValueError(
                f"The script's loss takes {self.manifest['output']}, which it makes of what the model gives: name how, as in"
                " Ensemble(Net, prediction=lambda out: torch.log_softmax(out, 1))."
            )
        self.members = torch.nn.ModuleList()
        for member in self.manifest["members"]:
            model = make_model()
            model.load_state_dict(_state(directory / member["file"]), strict=True)
            self.members.append(model)
        self.eval()

    def forward(self, *args, **kwargs):
        outputs = [self._predicted(member(*args, **kwargs)) for member in self.members]
        return combine(outputs, self.manifest["combine"], self.manifest["output"])

    def _predicted(self, out):
        if self.prediction is not None:
            return self.prediction(out)
        for kind, key in self.manifest.get("path", []):
            out = out[key] if kind == "item" else getattr(out, key)
        return out
`;

const fromModelJson = `/**
 * The ensemble beside this file, combined as Basin scored it.
 *
 *   import * as tf from '@tensorflow/tfjs';
 *   import { loadEnsemble } from './load-ensemble.mjs';
 *   const ensemble = await loadEnsemble(tf);
 *   const prediction = ensemble.predict(x); // of the kind that one model gives: probabilities for probabilities
 */
import { readFile } from 'node:fs/promises';

/** @param tf TensorFlow.js, of any backend @param directory URL of where ensemble.json is */
export function loadEnsemble(tf, directory = new URL('.', import.meta.url)) {
  return ensembleOf(tf, directory, (file) => loadMember(tf, file));
}
`;

const fromSafetensors = `/**
 * The ensemble beside this file, combined as Basin scored it.
 *
 *   import * as tf from '@tensorflow/tfjs';
 *   import { loadEnsemble } from './load-ensemble.mjs';
 *   const ensemble = await loadEnsemble(tf, makeModel); // what makes the script's own model, without arguments
 *   const prediction = ensemble.predict(x); // of the kind that one model gives: probabilities for probabilities
 */
import { readFile } from 'node:fs/promises';

/**
 * @param tf TensorFlow.js, of any backend
 * @param makeModel gives a new instance of the model that was trained
 * @param directory URL of where ensemble.json is
 */
export function loadEnsemble(tf, makeModel, directory = new URL('.', import.meta.url)) {
  // Names of layers that the script leaves to TensorFlow.js are counted on from model to model: the first one's are the script's.
  let names = null;
  return ensembleOf(tf, directory, async (file) => {
    const model = makeModel();
    names ??= model.weights.map((weight) => weight.originalName);
    await setWeights(tf, model, names, file);
    return model;
  });
}
`;

const ensembleOf = `
async function ensembleOf(tf, directory, load) {
  const manifest = JSON.parse(await readFile(new URL('ensemble.json', directory), 'utf8'));
  if (manifest.output === null)
    throw new Error('It is not known what the members predict: set "output" in ensemble.json.');
  const members = [];
  for (const { file } of manifest.members) members.push(await load(new URL(file, directory)));
  return {
    manifest,
    members,
    predict(x, options) {
      const outputs = members.map((member) => member.predict(x, options));
      const { shape } = outputs[0];
      const rows = outputs.map((output) => output.dataSync());
      outputs.forEach((output) => output.dispose());
      const width = shape[shape.length - 1];
      return tf.tensor(combine(rows, width, manifest.combine, manifest.output), shape);
    },
    dispose: () => members.forEach((member) => member.dispose()),
  };
}

`;

const memberOfJson = `async function loadMember(tf, file) {
  const { modelTopology, weightsManifest } = JSON.parse(await readFile(file, 'utf8'));
  const paths = weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(await Promise.all(paths.map((name) => readFile(new URL(name, file)))));
  return tf.loadLayersModel(
    tf.io.fromMemory({
      modelTopology,
      weightSpecs: weightsManifest.flatMap((group) => group.weights),
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    }),
  );
}

`;

const memberOfWeights = `/** Safetensors: eight bytes that say how long the header is, the header, the tensors. */
async function setWeights(tf, model, names, file) {
  const bytes = new Uint8Array(await readFile(file)).buffer;
  const start = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, start)));
  model.weights.forEach((weight, i) => {
    const entry = header[names[i]];
    if (entry === undefined || entry.shape.join() !== weight.shape.join())
      throw new Error(
        \`\${file.pathname} has no "\${names[i]}" of shape [\${weight.shape}]. Give the layers the names that they have in the \` +
          'script, load it before other models are made, or export the ensemble as tfjs.',
      );
    const [from, to] = entry.data_offsets;
    const data = bytes.slice(start + from, start + to);
    const [Values, dtype] = { F32: [Float32Array, 'float32'], I32: [Int32Array, 'int32'], BOOL: [Uint8Array, 'bool'] }[entry.dtype];
    const value = tf.tensor(new Values(data), entry.shape, dtype);
    weight.write(value);
    value.dispose();
  });
}

`;

const combining = `/** The ensemble's prediction of its members' outputs, in their own form. */
export function combine(members, width, how, kind) {
  const n = members.length;
  const total = new Float64Array(members[0].length);
  const add = (values) => values.forEach((v, i) => (total[i] += v));
  const log = (p) => Math.max(-100, Math.log(p));
  const sigmoid = (z) => 1 / (1 + Math.exp(-z));
  const given = kind === 'probabilities' || kind === 'binary-probabilities';
  if (how === 'mean' || kind === 'values' || (how === 'probability' && given)) {
    for (const m of members) add(Float64Array.from(m, (v) => v / n));
    return Float32Array.from(total);
  }
  const binary = kind.startsWith('binary');
  if (how === 'logit') {
    const logit = !given ? (v) => v : binary ? (p) => log(p) - log(1 - p) : log;
    for (const m of members) add(Float64Array.from(m, (v) => logit(v) / n));
    const mean = Float32Array.from(total);
    return !given ? mean : binary ? mean.map(sigmoid) : Float32Array.from(softmax(mean, width));
  }
  for (const m of members) add((binary ? Float64Array.from(m, sigmoid) : softmax(m, width)).map((p) => p / n));
  return Float32Array.from(total, (p) =>
    Math.max(-100, Math.min(100, binary ? Math.log(p / (1 - p)) : Math.log(p))),
  );
}

function softmax(values, width) {
  const out = new Float64Array(values.length);
  for (let begin = 0; begin < values.length; begin += width) {
    let top = -Infinity;
    for (let k = begin; k < begin + width; k++) top = Math.max(top, values[k]);
    let total = 0;
    for (let k = begin; k < begin + width; k++) total += out[k] = Math.exp(values[k] - top);
    for (let k = begin; k < begin + width; k++) out[k] /= total;
  }
  return out;
}
`;
