#!/usr/bin/env bash
# Builds tables.wasm, and leaves nothing else in the checkout: componentize-py goes to a cache folder.
#
#   ./build.sh [FOLDER]    builds into a folder (default: the one of this script, where git ignores it)
#   ./build.sh --where     prints the cache folder of this build
#   CASEMATE_CI_CACHE      cache folder (default: ~/.cache/casemate-ci)
#
# Needs Python 3.10 or later with pip and venv, and PyPI. About 20 seconds and 50 MB the first time, about 10 seconds after.
set -euo pipefail

version=0.25.1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CASEMATE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/casemate-ci}/componentize-py-$version
if [[ ${1:-} == --where ]]; then
  echo "$cache"
  exit
fi
out=$(realpath -m "${1:-$here}")
mkdir -p "$out"

if [[ ! -e $cache/complete ]]; then
  echo "installing componentize-py $version into $cache" >&2
  rm -rf "$cache"
  python3 -m venv "$cache"
  "$cache/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "componentize-py==$version"
  touch "$cache/complete"
fi

# Written beside its place and then moved: an interrupted build leaves no half component. `-p` names the only folder that is
# searched for modules, so that nothing of this machine's Python gets into the component.
"$cache/bin/componentize-py" -d "$here/wit" -w table-tools componentize -p "$here/app" app -o "$out/tables.wasm.new" >&2
mv "$out/tables.wasm.new" "$out/tables.wasm"
echo "$out/tables.wasm ($(stat -c %s "$out/tables.wasm") bytes)"
