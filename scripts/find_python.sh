#!/bin/sh
# Print the path of a Python of the first of the given versions that is found on PATH, under pyenv or through uv:
#     scripts/find_python.sh 3.9 3.8
# Prints nothing and exits with 1 if there is none.
works() {
    # ensurepip and the headers are packages of their own on Debian; without them no environment can be built
    "$1" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" >/dev/null 2>&1
}
for version in "$@"; do
    for candidate in \
        "$(command -v "python$version" 2>/dev/null)" \
        $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python 2>/dev/null | sort -V -r) \
        "$(command -v uv >/dev/null 2>&1 && uv python find "$version" 2>/dev/null)"
    do
        if [ -n "$candidate" ] && works "$candidate" "$version"; then
            echo "$candidate"
            exit 0
        fi
    done
done
exit 1
