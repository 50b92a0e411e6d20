#!/usr/bin/env bash
# A 64-bit ARM board without hardware, on Debian 12 (x86-64, as root): an ARM Python in a folder of its own, run by qemu-user. What
# runs there is slow and says nothing of a board's speed; it shows that worker, agent and library work on ARM.
# `site` there is edgeprof itself with the wheels that an ARM machine gets.
#   bench/emulated_board.sh FOLDER PYTHON
set -euo pipefail
folder=$(realpath -m "$1") python=$2 debian=http://deb.debian.org/debian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages="libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libffi8 libssl3 libbz2-1.0 liblzma5 libpython3.11-minimal python3.11-minimal libpython3.11-stdlib"

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends qemu-user-static > /dev/null
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$folder"
echo "deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $debian bookworm main" > "$work/sources.list"
arm=(-o APT::Architecture=arm64 -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache")
apt-get -qq "${arm[@]}" update
# shellcheck disable=SC2086
(cd "$work" && apt-get -qq "${arm[@]}" download $packages)
for package in "$work"/*.deb; do dpkg -x "$package" "$folder"; done

"$python" -m pip wheel --quiet --no-deps --wheel-dir "$work" .
rm -rf "$folder/site"
"$python" -m pip install --quiet --target "$folder/site" --only-binary :all: --python-version 3.11 --implementation cp \
  --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 "$work"/edgeprof-*.whl

# Under qemu this file stands for the machine's own: ONNX Runtime reads it, and ends where it finds no ARM processor.
mkdir -p "$folder/proc"
for ((core = 0; core < $(nproc); core++)); do
  printf 'processor\t: %d\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\n' "$core"
  printf 'CPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n'
done > "$folder/proc/cpuinfo"
# Without it the whole of the machine's own /proc is there, which edgeprof itself needs.
mkdir -p "$folder/plain"
for part in etc lib usr; do ln -sfn "../$part" "$folder/plain/$part"; done
echo "edgeprof board setup USER@HOST --engine ort --board-python 'qemu-aarch64-static -L $folder $folder/usr/bin/python3.11'"
