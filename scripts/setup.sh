#!/usr/bin/env bash
# Set up everything the project's commands need: system libraries for Qt and GL,
# and a .venv of its own, pinned by constraints.txt. Running it again is quick.
set -euo pipefail
cd "$(dirname "$0")/.."

# xauth: xvfb-run needs it, and xvfb only recommends it
libraries=(
  xvfb xauth libegl1 libgl1 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
  libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
  libxcb-xinerama0 libdbus-1-3 libfontconfig1 libglib2.0-0
)

say() { printf '%s\n' "$*" >&2; }

install_system_libraries() {
  [ "$(uname -s)" = Linux ] || return 0  # elsewhere Qt brings what it needs
  command -v dpkg-query >/dev/null 2>&1 || { check_loadable; return; }
  local missing=() name
  for name in "${libraries[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing the libraries that the window needs: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    say "The window needs libraries that are missing. Install them, then run this command again:"
    say "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    exit 1
  fi
}

# not Debian: name what the loader cannot find, leave its packages to the user
check_loadable() {
  local missing
  missing=$(python3 - <<'PY'
import ctypes.util
print(*[n for n in ("EGL", "GL", "xkbcommon-x11", "xcb-cursor", "xcb-icccm", "dbus-1", "fontconfig")
        if not ctypes.util.find_library(n)])
PY
  )
  [ -z "$missing" ] && return 0
  say "The window needs shared libraries that were not found: $missing"
  say "Install the packages of your system that hold them (on Debian: ${libraries[*]})."
  exit 1
}

find_python() {
  local name
  for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
    if "$name" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)))'; then
      echo "$name"
      return
    fi
  done
  say "Python 3.11 to 3.13 is needed; set PYTHON=/path/to/python3.11 if it is not on the PATH."
  exit 1
}

make_environment() {
  local python=$1
  # Debian's python3 has no ensurepip without python3-venv, but its pip can fill an empty venv
  if ! "$python" -m venv .venv >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv --without-pip .venv
    "$python" -m pip --python .venv/bin/python install --quiet pip || {
      say "pip could not be put into .venv. Install python3-venv, then run this command again:"
      say "    sudo apt-get install -y python3-venv"
      exit 1
    }
  fi
}

wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -d' ' -f1)
install_system_libraries
if [ -x .venv/bin/slagseg ] && [ "$(cat .venv/.setup-done 2>/dev/null || true)" = "$wanted" ]; then
  exit 0
fi
python=$(find_python)
[ -x .venv/bin/python ] || make_environment "$python"
say "Installing the Python packages into .venv (a few minutes the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
  -c constraints.txt -e '.[all,formats,test,check,docs,bench]'
echo "$wanted" > .venv/.setup-done
