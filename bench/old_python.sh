#!/usr/bin/env bash
# A Python as old boards have it: Debian 11's 3.9, bare, in a folder of its own that every user may read (Debian, as root).
#   bench/old_python.sh FOLDER
set -euo pipefail
folder=$(realpath -m "$1")
test -x "$folder/python3.9" && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages="python3.9-minimal libpython3.9-minimal libpython3.9-stdlib libssl1.1 libffi7"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 1p)
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$folder"
apt=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
for debian in "${mirror:-http://deb.debian.org/debian}" http://archive.debian.org/debian; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $debian bullseye main" > "$work/sources.list"
  # shellcheck disable=SC2086
  apt-get -qq "${apt[@]}" --error-on=any update && (cd "$work" && apt-get -qq "${apt[@]}" download $packages) && break
done
for package in "$work"/*.deb; do dpkg -x "$package" "$folder"; done
cat > "$folder/python3.9" << WRAPPER
#!/bin/sh
exec env LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu) PYTHONHOME=$folder/usr $folder/usr/bin/python3.9 "\$@"
WRAPPER
chmod -R a+rX "$folder"
chmod a+x "$folder/python3.9"
