#!/usr/bin/env bash
# Builds text.wasm without leaving anything in the checkout but text.wasm itself: jco and all that it needs go to a cache folder.
#
#   ./build.sh [FILE]    builds FILE (default: text.wasm beside this script, which git ignores)
#   TEXT_TOOLCHAIN       cache folder (default: ~/.cache/text-guest-toolchain)
#
# Needs Node 20 or later, npm and its registry. About 30 seconds and 400 MB the first time, about 10 seconds after.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/text.wasm}")
cache=${TEXT_TOOLCHAIN:-${XDG_CACHE_HOME:-$HOME/.cache}/text-guest-toolchain}

mkdir -p "$cache"
cp "$here/package.json" "$cache/package.json"
if ! cmp -s "$cache/package.json" "$cache/installed.json"; then
  echo "installing jco into $cache" >&2
  (cd "$cache" && npm install --silent --no-audit --no-fund)
  cp "$cache/package.json" "$cache/installed.json"
fi

# Written beside its place and then moved: an interrupted build leaves no half component.
"$cache/node_modules/.bin/jco" componentize "$here/src/text.js" --bundle --wit "$here/wit" --world-name text-tools \
  --disable all --out "$out.new"
mv "$out.new" "$out"
echo "$out ($(stat -c %s "$out") bytes)"
