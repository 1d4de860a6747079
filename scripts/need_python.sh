#!/bin/sh
# Like find_python.sh, but says what to install where there is none.
"$(dirname "$0")/find_python.sh" "$@" && exit 0
echo "No Python $(echo "$@" | sed 's/ / or /g') with venv and its headers was found on PATH, under pyenv or through uv. Install one, such as:" >&2
echo "    uv python install $1        or        pyenv install $1" >&2
echo "    or your system's packages:  sudo apt-get install python$1 python$1-venv python$1-dev" >&2
exit 1
