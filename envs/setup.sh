#!/usr/bin/env bash
# Make the environment .venv as pinned in this folder, then run the command given in it:
#
#     bash envs/setup.sh snakemake --cores 8 all
#     bash envs/setup.sh pytest
#
# Needs Python 3.11 and a package index. TTSPM_ENV=generation-cuda takes the CUDA build instead.
# Once made, the environment is used as it is until a pinned list changes.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${TTSPM_ENV:-generation-cpu}
lists=("envs/$name.txt" envs/test.txt)
[ -f "envs/$name.txt" ] || { echo "error: TTSPM_ENV: there is no envs/$name.txt" >&2; exit 1; }
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
    echo "error: the pinned lists are for Python 3.11; set PYTHON to such an interpreter" >&2
    exit 1
}

# A complete list is installed without resolution: nothing is chosen here.
install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$@"; }

# What pip cannot bring: installed by root on Debian, else asked for.
debian() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1" >/dev/null && return
    fi
    echo "$2; on Debian: sudo apt-get install $1" >&2
    return 1
}

fingerprint=$(cat "${lists[@]}" | sha256sum | cut -d ' ' -f 1)
if [ "$(cat .venv/fingerprint 2>/dev/null)" != "$fingerprint" ]; then
    echo "Making .venv from ${lists[*]}; a few minutes, once." >&2
    # Debian splits venv off its Python; vLLM's CPU build wants libnuma, which no wheel brings.
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        debian python3-venv "error: Python lacks venv"
    if [ "$name" = generation-cpu ]; then # needed to generate only: without it the rest works
        "$python" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null ||
            debian libnuma1 "note: vLLM will need libnuma.so.1, which is not installed" || true
    fi
    rm -rf .venv
    "$python" -m venv .venv
    # The CPU build of torch is on PyTorch's own index; that index is asked for nothing else, as pip
    # asks every index it knows for every package. First as pip is configured: a mirror may have it.
    torch=$(grep '^torch==.*+cpu' "envs/$name.txt" || true)
    if [ -n "$torch" ]; then
        install "$torch" 2>/dev/null ||
            install --index-url https://download.pytorch.org/whl/cpu "$torch"
    fi
    cat "${lists[@]}" | grep -v '^torch==.*+cpu' >.venv/list.txt
    install --requirement .venv/list.txt
    echo "$fingerprint" >.venv/fingerprint
fi

export VIRTUAL_ENV=$PWD/.venv PATH="$PWD/.venv/bin:$PATH"
[ $# -gt 0 ] || { echo "Ready: . .venv/bin/activate" >&2; exit 0; }
exec "$@"
