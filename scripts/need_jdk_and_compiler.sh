#!/bin/sh
# Print the folder of a Java development kit; say what to install where it, or a C compiler, is missing.
# CellProfiler reads microscope formats through Java, and its bridge to it is built on this machine.
if ! command -v cc >/dev/null 2>&1; then
    echo "No C compiler was found. Install one: sudo apt-get install build-essential" >&2
    exit 1
fi
# Without JAVA_HOME the first test would find /bin/javac, a link where /bin is /usr/bin, and give an empty folder.
home="${JAVA_HOME:-/nonexistent}"
if [ ! -x "$home/bin/javac" ] && command -v javac >/dev/null 2>&1; then
    home="$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")"
fi
if [ ! -x "$home/bin/javac" ]; then
    echo "No Java development kit was found. Install one: sudo apt-get install openjdk-17-jdk-headless" >&2
    echo "If there is one, set JAVA_HOME to its folder." >&2
    exit 1
fi
echo "$home"
