#!/usr/bin/env bash
# Builds the examples in JavaScript, Python and C into a folder, one after the other, and runs the tests of those in JavaScript.
#
#   examples/build-all.sh FOLDER
#
# One whose tools are neither in the cache nor to be had, since their registry cannot be reached, is skipped with that reason; whatever
# else goes wrong is a failure. Prints a line per component: what it is, its size, how long it took. Exits with 1 if one failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: build-all.sh FOLDER}
mkdir -p "$out"
out=$(realpath "$out")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

npm_reached() { timeout 60 npm view --silent htmlparser2@12.0.0 version >/dev/null 2>&1; }
pypi_reached() { timeout 60 python3 -m pip download --quiet --no-deps --dest "$scratch/pypi" attrs==26.1.0 >/dev/null 2>&1; }
crates_reached() {
  timeout 60 curl --silent --fail --head --location https://static.crates.io/crates/wit-bindgen-cli/wit-bindgen-cli-0.63.0.crate >/dev/null
}

built=() skipped=() failed=()

# build NAME FOLDER REGISTRY… -- ARGUMENT…: runs the build script of a folder, if its tools are there or their registries answer.
build() {
  local name=$1 folder=$here/$2 registry from=$SECONDS
  shift 2
  while [[ $1 != -- ]]; do
    registry=$1
    shift
    if [[ ! -e $("$folder/build.sh" --where)/complete ]] && ! "${registry}_reached"; then
      echo "skipped $name: ${registry} cannot be reached, and its tools are not in the cache"
      skipped+=("$name")
      return
    fi
  done
  shift
  if "$folder/build.sh" "$@" >"$scratch/output" 2>&1; then
    built+=("$name")
    grep -E '^# (pass|fail) ' "$scratch/output" || tail -n 1 "$scratch/output"
    echo "$name: $((SECONDS - from)) s"
  else
    failed+=("$name")
    cat "$scratch/output"
    echo "$name: FAILED after $((SECONDS - from)) s"
  fi
}

build "tests in JavaScript" javascript npm -- --test
build text javascript npm -- "$out" text
build web javascript npm -- "$out" web
build tables python pypi -- "$out"
build checksums c pypi crates -- "$out"

echo "${#built[@]} built, ${#skipped[@]} skipped, ${#failed[@]} failed"
[[ ${#failed[@]} == 0 ]]
