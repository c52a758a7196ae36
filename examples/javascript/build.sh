#!/usr/bin/env bash
# Builds text.wasm and web.wasm, and leaves nothing else in the checkout: jco and all that it needs go to a cache folder.
#
#   ./build.sh [FOLDER [NAME…]]   builds the named components (default: text web) into a folder (default: the one of this script,
#                                 where git ignores them)
#   ./build.sh --test             runs `npm test` with the packages of the cache
#   ./build.sh --where            prints the cache folder of this build
#   CASEMATE_CI_CACHE             cache folder (default: ~/.cache/casemate-ci); the packages are kept for each package-lock.json
#
# Needs Node 20.19 or later, npm and its registry. About 30 seconds and 340 MB the first time, about 6 seconds for a component after.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lock=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-16)
cache=${CASEMATE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/casemate-ci}/javascript-$lock

if [[ ${1:-} == --where ]]; then
  echo "$cache"
  exit
fi
if [[ ! -e $cache/complete ]]; then
  echo "installing the packages of package-lock.json into $cache" >&2
  rm -rf "$cache"
  mkdir -p "$cache"
  cp "$here/package.json" "$here/package-lock.json" "$cache/"
  # None of the packages needs to run a script of its own to be installed, so none does.
  # `npm install` keeps to the versions and digests of the lock; `npm ci` would also want every package for other systems in it.
  (cd "$cache" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
  touch "$cache/complete"
fi

# Packages are looked for beside the sources, so the sources go beside the packages.
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -R "$here/src" "$here/wit" "$here/test" "$here/package.json" "$work/"
ln -s ../node_modules "$work/node_modules"

if [[ ${1:-} == --test ]]; then
  cd "$work"
  node --test test/
  exit
fi

out=$(realpath -m "${1:-$here}")
[[ $# == 0 ]] || shift
mkdir -p "$out"
[[ $# != 0 ]] || set -- text web

for name; do
  # Written beside its place and then moved: an interrupted build leaves no half component.
  (cd "$work" && npm run --silent "build:$name" >&2)
  mv "$work/$name.wasm" "$out/$name.wasm.new"
  mv "$out/$name.wasm.new" "$out/$name.wasm"
  echo "$out/$name.wasm ($(stat -c %s "$out/$name.wasm") bytes)"
done
