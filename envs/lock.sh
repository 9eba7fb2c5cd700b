#!/usr/bin/env bash
# Renew the pinned lists from the .in files (needs uv). The lists are complete: they are installed
# without resolution, so nothing is chosen on the machine of whoever installs them.
set -euo pipefail
cd "$(dirname "$0")"
compile() { uv pip compile --quiet --no-header --no-annotate --python-version 3.11 "$@"; }
# One resolution for what is installed together; the smaller lists are parts of it.
compile generation-cpu.in test.in --override overrides.txt --find-links "${TORCH_CPU_WHEELS:-https://download.pytorch.org/whl/cpu/torch/}" -o .all.txt
compile analysis.in --constraint .all.txt -o analysis.txt
compile generation-cpu.in --override overrides.txt --constraint .all.txt --find-links "${TORCH_CPU_WHEELS:-https://download.pytorch.org/whl/cpu/torch/}" -o generation-cpu.txt
grep -vxFf generation-cpu.txt .all.txt > test.txt
compile generation-cuda.in --override overrides-cuda.txt --python-platform x86_64-manylinux_2_28 -o generation-cuda.txt
rm .all.txt
