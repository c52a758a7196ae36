#!/usr/bin/env bash
# Builds tables.wasm without leaving anything in the checkout but tables.wasm itself: componentize-py goes to a cache folder.
#
#   ./build.sh [FILE]    builds FILE (default: tables.wasm beside this script, which git ignores)
#   TABLES_TOOLCHAIN     cache folder (default: ~/.cache/tables-guest-toolchain)
#
# Needs Python 3.10 or later, pip and its registry. About 20 seconds and 50 MB the first time, about 10 seconds after.
set -euo pipefail

version=0.25.1
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/tables.wasm}")
cache=${TABLES_TOOLCHAIN:-${XDG_CACHE_HOME:-$HOME/.cache}/tables-guest-toolchain}

if [ "$(cat "$cache/installed" 2>/dev/null)" != "$version" ]; then
  echo "installing componentize-py $version into $cache" >&2
  rm -rf "$cache"
  python3 -m venv "$cache"
  "$cache/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$version"
  echo "$version" > "$cache/installed"
fi

# Written beside its place and then moved: an interrupted build leaves no half component. `-p` names the only folder that is
# searched for modules, so that nothing of this machine's Python gets into the component.
"$cache/bin/componentize-py" -d "$here/wit" -w table-tools componentize -p "$here/app" app -o "$out.new"
mv "$out.new" "$out"
echo "$out ($(stat -c %s "$out") bytes)"
