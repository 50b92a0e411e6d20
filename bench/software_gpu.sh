#!/usr/bin/env bash
# A GPU in software on Debian 12, as root: Mesa's Vulkan device llvmpipe, and llama.cpp's libraries with the Vulkan back end
# in a folder of their own, for llama-cpp-python of the same release. About 15 minutes on two cores.
#   bench/software_gpu.sh FOLDER PYTHON
set -euo pipefail
folder=$(realpath -m "$1") python=$2
release=$("$python" -c 'import importlib.metadata as m; print(m.version("llama-cpp-python"))')
debian=http://deb.debian.org/debian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "deb $debian bookworm-backports main" > /etc/apt/sources.list.d/edgeprof-backports.list
apt-get -qq update
apt-get -qq install --yes --no-install-recommends cmake ninja-build g++ glslc spirv-headers libvulkan-dev libvulkan1 vulkan-tools curl
apt-get -qq install --yes --no-install-recommends -t bookworm-backports mesa-vulkan-drivers

# llama.cpp needs newer headers of Vulkan than Debian 12 has; the loader may be older.
headers=libvulkan-dev_1.4.309.0-1_amd64.deb
curl -fsS -o "$work/$headers" "$debian/pool/main/v/vulkan-loader/$headers"
dpkg -x "$work/$headers" "$work/vulkan"

"$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$work" "llama-cpp-python==$release"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
cmake -G Ninja -S "$work"/llama_cpp_python-*/vendor/llama.cpp -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
  -DGGML_BACKEND_DL=ON -DGGML_VULKAN=ON -DGGML_NATIVE=OFF -DVulkan_INCLUDE_DIR="$work/vulkan/usr/include" \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_COMMON=OFF \
  -DLLAMA_CURL=OFF -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH='$ORIGIN' > "$work/configure.log" || { tail -20 "$work/configure.log"; exit 1; }
cmake --build "$work/build" --target llama ggml-cpu ggml-vulkan > "$work/build.log" || { tail -30 "$work/build.log"; exit 1; }
mkdir -p "$folder"
cp -P "$work"/build/bin/*.so* "$folder"
echo "LLAMA_CPP_LIB_PATH=$folder GGML_VK_VISIBLE_DEVICES=0 edgeprof run FILE.gguf --target gpu"
