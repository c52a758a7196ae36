#!/usr/bin/env bash
# Builds notes.wasm from source on a Debian machine where `rustup target add` is not to be had, and compares it
# with the committed file. With rustup, two lines are enough: see README.md.
#
#   ./rebuild.sh            build, compare with notes.wasm.sha256; exit 1 when the bytes differ
#   ./rebuild.sh --update   build, replace notes.wasm and notes.wasm.sha256
#
# The compiler comes from Debian's `rustc-web` with its library sources, unpacked into a cache folder: nothing is
# installed, nothing outside that folder and the target folder is written. About a minute the first time, seconds after.
#   NOTES_TOOLCHAIN   cache folder (default: ~/.cache/notes-guest-toolchain)
#   CARGO_TARGET_DIR  build folder (default: inside the cache folder, so that this checkout stays clean)
set -euo pipefail

update=no
case "${1:-}" in
  "") ;;
  --update) update=yes ;;
  *) echo "usage: rebuild.sh [--update]" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
cache=${NOTES_TOOLCHAIN:-${XDG_CACHE_HOME:-$HOME/.cache}/notes-guest-toolchain}
root=$cache/root
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
target=wasm32-wasip2

# The linkers for WebAssembly are part of every rustup host toolchain, although the target's library is not.
sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
linkers=$sysroot/lib/rustlib/$host/bin
if [ ! -x "$linkers/wasm-component-ld" ]; then
  echo "rebuild.sh: $linkers/wasm-component-ld is missing; a rustup toolchain is needed for its linkers" >&2
  exit 1
fi

# The first package that $1 depends on and whose name is like $2: Debian puts version numbers into both names.
dependency() { apt-cache depends "$1" | sed -n "s/^ *Depends: \($2\)\$/\1/p" | head -n 1; }

if [ ! -e "$cache/complete" ]; then
  echo "unpacking the guest toolchain into $cache" >&2
  rm -rf "$root" "$cache/debs"
  mkdir -p "$root" "$cache/debs"
  ( cd "$cache/debs"
    fetch() {
      local library llvm
      library=$(dependency libstd-rust-web-dev 'libstd-rust-web-[0-9.]*')
      llvm=$(dependency "$library" 'libllvm[0-9]*')
      apt-get download -qq rustc-web rust-web-src libstd-rust-web-dev "$library" "$llvm" wasi-libc
    }
    fetch 2>/dev/null || { apt-get update -qq; fetch; } )
  for package in "$cache"/debs/*.deb; do dpkg -x "$package" "$root"; done
  # Debian keeps the C library of WASI in its own place; rustc looks for it beside the target's Rust library.
  libc=$root/usr/lib/rustlib/$target/lib/self-contained
  mkdir -p "$libc"
  cp "$root"/usr/lib/wasm32-wasi/crt1*.o "$root"/usr/lib/wasm32-wasi/lib*.a "$libc/"
  rm -rf "$cache/debs"
  touch "$cache/complete"
fi

libraries=$(dirname "$(find "$root/usr/lib" -name 'librustc_driver-*.so' -print -quit)")
compiler=$root/usr/bin/rustc
export LD_LIBRARY_PATH=$libraries PATH="$PATH:$linkers:$linkers/gcc-ld"
export CARGO_TARGET_WASM32_WASIP2_LINKER=$linkers/wasm-component-ld
# Building the standard library from source is an unstable cargo feature; the guest itself uses stable Rust only.
export RUSTC=$compiler RUSTC_BOOTSTRAP=1
# No path of this machine may end up in the component, else no two machines would build the same bytes.
export RUSTFLAGS="--remap-path-prefix=$here=/notes --remap-path-prefix=$root=/rust --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"

( cd "$here" && cargo build --quiet --locked --release -Zbuild-std=std,panic_abort --target "$target" )

built=$CARGO_TARGET_DIR/$target/release/notes.wasm
digest=$(sha256sum "$built" | cut -d' ' -f1)
committed=$(cut -d' ' -f1 < "$here/notes.wasm.sha256" 2>/dev/null || echo none)
echo "compiler  $("$compiler" --version)"
echo "built     $built ($(stat -c %s "$built") bytes)"
echo "sha256    $digest"
if [ "$digest" = "$committed" ]; then
  echo "identical to the committed notes.wasm"
elif [ "$update" = yes ]; then
  cp "$built" "$here/notes.wasm"
  chmod 644 "$here/notes.wasm"
  ( cd "$here" && sha256sum notes.wasm > notes.wasm.sha256 )
  echo "notes.wasm and notes.wasm.sha256 replaced (before: $committed)"
else
  echo "differs from the committed $committed (another compiler version? ./rebuild.sh --update replaces it)"
  exit 1
fi
