#!/bin/sh
# Print the path of a Python of the first of the given versions that is found on PATH, under pyenv or through uv:
#     scripts/find_python.sh 3.9 3.8
# Prints nothing and exits with 1 if there is none.
works() {
    # ensurepip and the headers are packages of their own on Debian. Without the first no environment can be built, and
    # without the second no bridge from CellProfiler, which runs on 3.8 and 3.9, to Java.
    "$1" -c "
import os, sys, sysconfig, venv, ensurepip
right = '%d.%d' % sys.version_info[:2] == '$2'
headers = os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h'))
sys.exit(not (right and (headers or sys.version_info >= (3, 10))))" >/dev/null 2>&1
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
