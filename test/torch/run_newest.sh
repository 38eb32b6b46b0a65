#!/bin/sh
# The PyTorch suite on the newest release of torch, in an environment that goes again:  test/torch/run_newest.sh
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --upgrade torch numpy pytest pytest-xdist
"$folder/bin/python" -c 'import torch; print("torch", torch.__version__)'
OMP_NUM_THREADS=1 "$folder/bin/python" -m pytest test/torch -q -n 2 "$@"
