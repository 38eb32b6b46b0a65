#!/bin/sh
# The PyTorch suite on the newest release of torch that pip installs, with the newest libraries beside it, in an
# environment that goes again; nothing where that is the release that the suite is pinned to:
#     test/torch/run_newest.sh [pytest's options]
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder"
pip() {
  "$folder/bin/python" -m pip --disable-pip-version-check "$@"
}
pinned=$(sed -n 's/^torch==//p' test/torch/requirements.txt)
newest=$(pip install --quiet --dry-run --no-deps --report - torch |
  "$folder/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["install"][0]["metadata"]["version"])')
# The command is marked as experimental: where it says nothing, nothing is said here.
known=$(pip index versions torch 2>/dev/null | sed -n '1s/^torch (\(.*\))$/\1/p')
if [ -n "$known" ] && [ "$known" != "$newest" ]; then
  echo "torch $known is out, but pip installs $newest here: its constraints (pip config list) or this Python hold it back."
fi
if [ "${newest%%+*}" = "${pinned%%+*}" ]; then
  echo "torch $newest is the newest that pip installs, and what the suite is pinned to: nothing else to run it on."
  exit 0
fi
pip install --quiet torch numpy pytest pytest-xdist lightning transformers accelerate
"$folder/bin/python" -c 'import torch; print("torch", torch.__version__)'
OMP_NUM_THREADS=1 "$folder/bin/python" -m pytest test/torch -q -n 2 "$@"
