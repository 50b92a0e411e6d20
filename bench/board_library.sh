#!/usr/bin/env bash
# llama.cpp's libraries for 64-bit ARM boards, built on Debian 12 (x86-64, as root) with its cross compiler, of the release that
# llama-cpp-python has here. Several variants of the CPU back end: a board loads the best that it can run. For tests, with `plain`, one
# for every such board, hardly optimized: it takes a fifth of the time to compile.
#   bench/board_library.sh FOLDER PYTHON [plain]
set -euo pipefail
folder=$(realpath -m "$1") python=$2 kind=${3:-best}
release=$("$python" -c 'import importlib.metadata as m; print(m.version("llama-cpp-python"))')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends cmake ninja-build g++-aarch64-linux-gnu > /dev/null

"$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$work" "llama-cpp-python==$release"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
plain=(-DCMAKE_C_FLAGS_RELEASE='-O1 -DNDEBUG' -DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG' -DGGML_CPU_ARM_ARCH=armv8-a
  -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF -DGGML_CPU_REPACK=OFF)
best=(-DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON)
declare -n options=$kind
# armv8.0: Raspberry Pi 4; armv8.2: Raspberry Pi 5, RK3588, Jetson Orin; armv8.6: Graviton 3 and later. GCC 12 knows no SME.
sed -i '/armv9\.2/d' "$work"/llama_cpp_python-*/vendor/llama.cpp/ggml/src/CMakeLists.txt
cmake -G Ninja -S "$work"/llama_cpp_python-*/vendor/llama.cpp -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
  -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  "${options[@]}" -DGGML_NATIVE=OFF \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_COMMON=OFF \
  -DLLAMA_CURL=OFF -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH='$ORIGIN' > "$work/configure.log" || { tail -20 "$work/configure.log"; exit 1; }

cmake --build "$work/build" --target llama > "$work/build.log" || { tail -30 "$work/build.log"; exit 1; }
mkdir -p "$folder"
cp -P "$work"/build/bin/*.so* "$folder"
# Some compilers' OpenMP is not on every board.
cp -L /usr/aarch64-linux-gnu/lib/libgomp.so.1 "$folder" 2>/dev/null || true
echo "edgeprof board setup USER@BOARD --library $folder"
