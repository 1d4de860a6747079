"""Build one zip a system for CellProfiler's installed application, which cannot install packages.

    PYTHONPATH=plugins python -m bundles.build_bundles --output dist

An unpacked bundle is a complete plugins directory: the module, its models and onnxruntime. The same sources give the
same bytes.
"""

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from bundles.wheels import WHEELS, BundleError, Wheel, fetch_wheel
from cpunet import __version__

REPOSITORY = Path(__file__).resolve().parents[1]
TOP = "cpunet-plugins"
LARGEST_BYTES = 60_000_000
LONGEST_PATH = 200  # Windows allows 260 characters, including the folder that the user chooses
MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip; the date of the build would change the bytes each time


def plugin_files(repository: Path) -> Dict[str, bytes]:
    """Read the files that every bundle holds: the module, its models, the license and how to install.

    Parameters
    ----------
    repository : Path

    Returns
    -------
    dict of str to bytes
        By the path inside the plugins directory.
    """
    plugins = repository / "plugins"
    files = {"identifyobjectsunet.py": plugins / "identifyobjectsunet.py"}
    for path in (plugins / "cpunet").rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(plugins).parts)
        if path.is_file() and not hidden:
            files[path.relative_to(plugins).as_posix()] = path
    for pattern in ("*/model.onnx", "*/README.md"):
        files.update({f"models/{path.parent.name}/{path.name}": path for path in repository.glob(f"models/{pattern}")})
    files["LICENSE.txt"] = repository / "LICENSE"
    files["INSTALL.txt"] = repository / "bundles" / "INSTALL.txt"
    return {name: path.read_bytes() for name, path in files.items()}


def wheel_files(wheel: Path, python: str) -> Dict[str, bytes]:
    """Unpack a wheel as pip would.

    Parameters
    ----------
    wheel : Path
    python : str
        The version of the wheel, such as "3.9".

    Returns
    -------
    dict of str to bytes
        By the path inside the plugins directory, where the module looks for packages of that Python.

    Raises
    ------
    BundleError
        If it holds files that pip would not put on Python's path.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        scattered = [name for name in names if name.split("/")[0].endswith(".data")]
        if scattered:
            raise BundleError(f"{wheel} has files that pip would put elsewhere, such as {scattered[0]}.")
        # pip would also make the script onnxruntime_test, which nothing here needs.
        return {f"cpunet_packages/python{python}/{name}": archive.read(name) for name in names}


def write_bundle(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle to a temporary file and rename it. The same files give the same bytes.

    Parameters
    ----------
    path : Path
    files : mapping of str to bytes
        By the path inside the plugins directory.

    Raises
    ------
    BundleError
        If a path is longer than 200 characters, or the bundle larger than 60 MB.
    """
    longest = max((f"{TOP}/{name}" for name in files), key=len)
    if len(longest) > LONGEST_PATH:
        raise BundleError(f"{longest} has {len(longest)} characters; Windows may refuse more than {LONGEST_PATH}.")
    beside = path.with_name(f".{path.name}")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(f"{TOP}/{name}", MOMENT)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # Unix, also where it is built on another system
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, files[name])
        size = beside.stat().st_size
        if size > LARGEST_BYTES:
            raise BundleError(f"{path} would have {size / 1e6:.1f} MB; a bundle has at most {LARGEST_BYTES / 1e6:.0f}.")
        beside.replace(path)
    finally:
        if beside.exists():
            beside.unlink()


def build_bundles(
    systems: List[str], output: Path, wheels_folder: Path, wheels: Mapping[str, Tuple[Wheel, ...]] = WHEELS
) -> Dict[str, Path]:
    """Build the bundles of some systems.

    Parameters
    ----------
    systems : list of str
        windows, macos, linux.
    output : Path
        The folder for the zips; made if it is missing.
    wheels_folder : Path
        Where wheels are kept between runs.
    wheels : mapping of str to tuple of Wheel
        Those of each system.

    Returns
    -------
    dict of str to Path
        The zip of each system.

    Raises
    ------
    BundleError
        If a wheel cannot be downloaded or has another SHA-256, a path is too long, or a zip too large.
    """
    output.mkdir(parents=True, exist_ok=True)
    common = plugin_files(REPOSITORY)
    built = {}
    for system in systems:
        files = dict(common)
        for wheel in wheels[system]:
            files.update(wheel_files(fetch_wheel(wheel, wheels_folder), wheel.python))
        built[system] = output / f"cpunet-{__version__}-{system}.zip"
        write_bundle(built[system], files)
    return built


def main(arguments: Optional[List[str]] = None) -> int:
    """Build the bundles of the systems on the command line; print the size and SHA-256 of each."""
    parser = argparse.ArgumentParser(prog="build_bundles", description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help="windows, macos, linux; all by default")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "dist")
    parser.add_argument("--wheels", type=Path, default=REPOSITORY / ".cache" / "wheels", help="where wheels are kept")
    parsed = parser.parse_args(arguments)
    unknown = sorted(set(parsed.systems) - set(WHEELS))
    if unknown:
        parser.error(f"there is no bundle for {unknown[0]}; there are {', '.join(WHEELS)}")
    try:
        built = build_bundles(parsed.systems or list(WHEELS), parsed.output, parsed.wheels)
    except BundleError as error:
        print(f"build_bundles: {error}", file=sys.stderr)
        return 1
    for path in built.values():
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB  SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
