#!/bin/bash
# Trains a recipe on all hosts of a TPU slice, which is created if it is not there.
#
#     export NAME=pod ZONE=us-central2-b TYPE=v4-32 VERSION=tpu-ubuntu2204-base
#     scripts/tpu_vm.sh --config=configs/ddpm_cifar10.py --workdir=gs://BUCKET/ddpm
#
# The same command continues an interrupted run. It copies the last commit to the hosts.
set -euo pipefail

: "${NAME:?set it to the name of the TPU}" "${ZONE:?set it to the zone of the TPU}"
tpu() {
    local verb=$1
    shift
    gcloud compute tpus tpu-vm "$verb" "$@" --zone="$ZONE"
}
everywhere() {
    tpu ssh "$NAME" --worker=all --command="$1"
}

if ! tpu describe "$NAME" > /dev/null 2>&1; then
    tpu create "$NAME" --accelerator-type="${TYPE:?such as v4-32}" --version="${VERSION:?}"
fi
archive=$(mktemp --suffix=.tar.gz)
trap 'rm -f "$archive"' EXIT
git archive --format=tar.gz --output="$archive" HEAD
tpu scp "$archive" "$NAME:gm_jax.tar.gz" --worker=all
# Ubuntu 22.04 has Python 3.10; this needs 3.11.
everywhere "mkdir -p gm_jax && tar xzf gm_jax.tar.gz -C gm_jax && cd gm_jax &&
    { command -v python3.11 || sudo apt-get install -y python3.11-venv; } &&
    python3.11 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[tpu,gcs]'"
everywhere "cd gm_jax && .venv/bin/python launch.py --pod$(printf ' %q' "$@")"
