#!/usr/bin/env bash
# Fetches and makes what the image consists of, from Debian's mirror and PyPI alone: no image is pulled.
#   prepare.sh DIRECTORY
# What DIRECTORY has already is not made again. Needs mmdebstrap, dpkg-deb, root for mmdebstrap, and Python 3.11 or later
# with pip. MIRROR is the Debian mirror, if not the one that this machine uses.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(realpath -m "${1:?usage: prepare.sh DIRECTORY}")
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
mkdir -p "$work"
cd "$work"

# Wheels for the Python of the image, whatever this machine has. They name all they need, or do without it.
wheels() {
    local into=$1
    shift
    [ -d "$into" ] && return
    rm -rf "$into.part"
    python3 -m pip install --quiet --no-compile --no-deps --target "$into.part" --python-version 3.11 \
        --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --only-binary=:all: "$@"
    # Packages bring their own tests; nobody runs them in production.
    find "$into.part" -depth -type d -name tests -exec rm -r {} +
    mv "$into.part" "$into"
}

# dpkg's record of the packages that were unpacked and of their files, which scanners read: Debian's Python is judged by
# Debian's advisories only if it is known to be Debian's. Nothing in the image runs maintainer scripts.
# shellcheck disable=SC2016
record='mkdir -p "$1/var/lib/dpkg/info"
for deb in "$1"/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar --list | sed "s|^\\.||; s|/\$||; s|^\$|/.|" \
        >"$1/var/lib/dpkg/info/$(dpkg-deb --field "$deb" Package).list"
    dpkg-deb --field "$deb" | sed "1a Status: install ok installed"; echo
done >"$1/var/lib/dpkg/status"'

# 1. Debian 12 with Python, unpacked only: 20 s where a whole installation takes two minutes.
if [ ! -s base.tar ]; then
    mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)}
    mmdebstrap --variant=extract --include=base-files,python3-minimal,libpython3.11-stdlib,libgomp1,libstdc++6 \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --extract-hook="$record" --quiet bookworm base.part.tar "$mirror"
    mv base.part.tar base.tar
fi

# 2. What the program needs.
wheels site -r "$here/requirements.txt"

# 3. The model, trained here on data out of scikit-learn's wheel. What trains it stays outside of the image.
if [ ! -s model/digits.onnx ]; then
    python3 -m pip install --quiet --target tools numpy onnx
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest wheel scikit-learn
    python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("sklearn/datasets/data/digits.csv.gz")' \
        wheel/scikit_learn-*.whl
    PYTHONPATH=tools python3 "$here/app/train.py" sklearn/datasets/data/digits.csv.gz model
fi

# 4. Old packages for the variant that a gate is to refuse.
wheels site-vulnerable -r "$here/requirements-vulnerable.txt"
