#!/bin/sh
# The PyTorch suite on torch 1.13, as Debian 12 packages it (python3-torch, python3-pytest; as root they are installed):
#     test/torch/run_old.sh [pytest's options]
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch, pytest, numpy' 2>/dev/null; then
  packages='python3-torch python3-pytest python3-numpy'
  if [ "$(id -u)" != 0 ]; then
    echo "Missing: $packages. Install with: sudo apt-get install --no-install-recommends $packages" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi
"$python" -c 'import torch; print("torch", torch.__version__)'
OMP_NUM_THREADS=1 "$python" -m pytest test/torch -q "$@"
