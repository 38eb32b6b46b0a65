"""
The curvature of twin.py's dense network by three libraries that are not Basin's, and by torch's own dense Hessian, in
float64 on the whole data at once: python reference_curvature.py <problem.json> <snapshot> tfjs|torch hessian|gauss-newton

Prints one JSON object: `exact` (every eigenvalue) and what each library says of `top` eigenvalues, `trace`, its
`traceError`, and the `nodes` and `weights` of each of its Lanczos quadratures.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy
import torch
from curvlinops import GGNLinearOperator, HessianLinearOperator, hutchinson_trace
from curvlinops.papyan2020traces.spectrum import fast_lanczos
from hessian_eigenthings import (
    GGNOperator,
    HessianOperator,
    lanczos,
    spectral_density,
    supervised_forward,
    supervised_loss,
    supervised_loss_of_output,
    trace,
)
from pyhessian import hessian
from safetensors.torch import load_file
from scipy.sparse.linalg import eigsh
from torch import nn

TOP = 5
PROBES = 8
STEPS = 60

warnings.filterwarnings("ignore", message="Using backward\\(\\) with create_graph=True")
torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
numpy.random.seed(5)
problem_file, snapshot, framework, matrix = sys.argv[1:]
with open(problem_file) as file:
    given = json.load(file)
size, classes = given["size"], given["classes"]
labels = torch.tensor(given["labels"])[: -given["heldOut"]]
images = torch.tensor(given["images"]).view(-1, size * size)[: len(labels)]
loss = nn.CrossEntropyLoss()
net = nn.Sequential(
    nn.Linear(size * size, 12), nn.ReLU(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, classes)
)  # fmt: skip
# Kernel and bias of each layer in turn, whatever they are called; TF.js has (in, out).
stored = list(load_file(snapshot).items())
for parameter in net.parameters():
    at = next(
        i
        for i, (_, values) in enumerate(stored)
        if tuple(values.shape if framework == "torch" or values.dim() == 1 else values.T.shape) == parameter.shape
    )
    _, values = stored.pop(at)
    with torch.no_grad():
        parameter.copy_(values if framework == "torch" or values.dim() == 1 else values.T)
assert not stored

parameters = list(net.parameters())
data = [(images, labels)]
gauss_newton = matrix == "gauss-newton"


def dense() -> torch.Tensor:
    """The matrix itself, by functions of torch alone."""
    names = [name for name, _ in net.named_parameters()]
    shapes = [p.shape for p in parameters]

    def outputs(flat: torch.Tensor) -> torch.Tensor:
        parts = flat.split([s.numel() for s in shapes])
        values = {name: part.view(s) for name, part, s in zip(names, parts, shapes)}
        return torch.func.functional_call(net, values, (images,))

    flat = torch.cat([p.detach().flatten() for p in parameters])
    if not gauss_newton:
        return torch.func.hessian(lambda w: loss(outputs(w), labels))(flat)
    jacobian = torch.func.jacrev(outputs)(flat)
    p = outputs(flat).softmax(1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.einsum("nca,ncd,ndb->ab", jacobian, inner, jacobian) / len(labels)


def by_curvlinops() -> dict[str, Any]:
    kind = GGNLinearOperator if gauss_newton else HessianLinearOperator
    operator = kind(net, loss, parameters, data)
    quadratures = [fast_lanczos(operator, STEPS) for _ in range(PROBES)]
    traces = [float(hutchinson_trace(operator, 20)) for _ in range(10)]
    return {
        "top": sorted(eigsh(operator.to_scipy(), k=TOP, which="LA", return_eigenvectors=False).tolist())[::-1],
        "trace": numpy.mean(traces),
        "traceError": numpy.std(traces, ddof=1) / len(traces) ** 0.5,
        "nodes": [values.tolist() for values, _ in quadratures],
        "weights": [(vectors[0] ** 2).tolist() for _, vectors in quadratures],
    }


def by_eigenthings() -> dict[str, Any]:
    operator = (
        GGNOperator(net, data, supervised_forward, supervised_loss_of_output(loss))
        if gauss_newton
        else HessianOperator(net, data, supervised_loss(loss))
    )
    found = lanczos(operator, k=TOP, which="LA", max_iter=200, tol=1e-8, reorthogonalize=True, seed=1)
    estimate = trace(operator, num_matvecs=150, seed=2)
    density = spectral_density(operator, num_runs=PROBES, lanczos_steps=STEPS, seed=3)
    return {
        "top": sorted(found.eigenvalues.tolist())[::-1],
        "trace": estimate.estimate,
        "traceError": estimate.stderr,
        "nodes": density.raw_eigenvalues.tolist(),
        "weights": density.raw_weights.tolist(),
    }


def by_pyhessian() -> dict[str, Any]:
    """Its density calls torch.eig, which torch has no more; its eigenvalues are the largest by magnitude."""
    operator = hessian(net, loss, data=(images, labels), cuda=False)
    values, _ = operator.eigenvalues(maxIter=1000, tol=1e-7, top_n=TOP)
    # A tolerance below zero keeps it from stopping by luck.
    traces = operator.trace(maxIter=100, tol=-1.0)
    return {
        "top": values,
        "trace": numpy.mean(traces),
        "traceError": numpy.std(traces, ddof=1) / len(traces) ** 0.5,
        "nodes": [],
        "weights": [],
    }


libraries = {"curvlinops": by_curvlinops, "hessian-eigenthings": by_eigenthings}
if not gauss_newton:
    libraries["PyHessian"] = by_pyhessian
exact = torch.linalg.eigvalsh(dense()).flip(0).tolist()
print(json.dumps({"exact": exact, "libraries": {name: ask() for name, ask in libraries.items()}}))
