"""The published wheels of onnxruntime that bundles hold: pinned by SHA-256, downloaded by pip, checked."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Tuple

VERSION = "1.19.2"


class BundleError(RuntimeError):
    """A bundle cannot be built; the message says why."""


@dataclass(frozen=True)
class Wheel:
    """One file of the package index.

    Attributes
    ----------
    python : str
        The version of Python, such as "3.9".
    platform : str
        The platform tag, as pip takes it.
    sha256 : str
    """

    python: str
    platform: str
    sha256: str

    @property
    def tag(self) -> str:
        """The interpreter's tag in the file's name, such as cp39."""
        return "cp" + self.python.replace(".", "")


# CellProfiler 4's installed application was built with Python 3.8 and with 3.9, so each bundle holds wheels for both.
# onnxruntime 1.19.2 is the newest for Python 3.8 and 3.9. To run models it needs only numpy, which the application has.
# Its metadata also names coloredlogs, flatbuffers, protobuf and sympy: they are for its tools that convert models.
WHEELS: Dict[str, Tuple[Wheel, ...]] = {
    "windows": (
        Wheel("3.8", "win_amd64", "016229660adea180e9a32ce218b95f8f84860a200f0f13b50070d7d90e92956c"),
        Wheel("3.9", "win_amd64", "38475e29a95c5f6c62c2c603d69fc7d4c6ccbf4df602bd567b86ae1138881c49"),
    ),
    "macos": (  # universal2: for Intel, which the application is built for, and for Apple silicon
        Wheel("3.8", "macosx_11_0_universal2", "636bc1d4cc051d40bc52e1f9da87fbb9c57d9d47164695dfb1c41646ea51ea66"),
        Wheel("3.9", "macosx_11_0_universal2", "006c8d326835c017a9e9f74c9c77ebb570a71174a1e89fe078b29a557d9c3848"),
    ),
    "linux": (
        Wheel("3.8", "manylinux_2_28_x86_64", "b2046fc9560f97947bbc1acbe4c6d48585ef0f12742744307d3364b131ac5778"),
        Wheel("3.9", "manylinux_2_28_x86_64", "fae4b4de45894b9ce7ae418c5484cbf0341db6813effec01bb2216091c52f7fb"),
    ),
}


def fetch_wheel(wheel: Wheel, folder: Path) -> Path:
    """Return the file of a wheel, and download it first if it is not in the folder.

    Parameters
    ----------
    wheel : Wheel
    folder : Path
        Made if it is missing.

    Returns
    -------
    Path

    Raises
    ------
    BundleError
        If pip cannot download it, or its SHA-256 is not the pinned one.
    """
    pattern = f"onnxruntime-{VERSION}-{wheel.tag}-*{wheel.platform}.whl"
    found = sorted(folder.glob(pattern))
    if not found:
        download_wheel(wheel, folder)
        found = sorted(folder.glob(pattern))
    if not found:
        raise BundleError(f"pip downloaded no file of the name {pattern} to {folder}.")
    sha256 = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if sha256 != wheel.sha256:
        raise BundleError(
            f"{found[0]} has the SHA-256 {sha256}, and {wheel.sha256} was pinned: it is not the file that was tested. "
            "Delete it, and run this again."
        )
    return found[0]


def download_wheel(wheel: Wheel, folder: Path) -> None:
    """Download a wheel for another system and another Python with this Python's pip.

    Parameters
    ----------
    wheel : Wheel
    folder : Path

    Raises
    ------
    BundleError
        With the error message of pip.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        [
            *[sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"],
            *["--no-deps", "--only-binary=:all:", "--implementation", "cp"],
            *["--python-version", wheel.python, "--platform", wheel.platform],
            *["--dest", str(folder), f"onnxruntime=={VERSION}"],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BundleError(
            f"pip could not download onnxruntime {VERSION} for Python {wheel.python} on {wheel.platform}:\n"
            f"{result.stderr.strip()}"
        )
