#!/usr/bin/env bash
# Builds an image that tells handwritten digits, and beside it the same with old packages in it.
#   build.sh DIRECTORY [IMAGE:TAG]
# DIRECTORY keeps what prepare.sh makes, so a second build takes seconds. IMAGE:TAG is ml/digits:1.0.0 unless given; the
# other image is IMAGE:TAG-vulnerable. Needs docker beside what prepare.sh needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: build.sh DIRECTORY [IMAGE:TAG]} image=${2:-ml/digits:1.0.0}
"$here/prepare.sh" "$work"
cd "$work"
mkdir -p srv/model
cp "$here/app/server.py" srv/
cp model/digits.onnx srv/model/
cp "$here/Dockerfile" "$here/Dockerfile.vulnerable" .
printf '*\n!base.tar\n!site\n!site-vulnerable\n!srv\n' >.dockerignore
# BuildKit is not needed, and not everywhere.
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0}
docker build --quiet --tag "$image" --build-arg RELEASE="${image##*:}" .
docker build --quiet --tag "$image-vulnerable" --build-arg IMAGE="$image" --file Dockerfile.vulnerable .
