"""Download one file with pooch, and check that it is whole and the right one."""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

import pooch
import requests

from cpunet.errors import DataError

TIMEOUT_S = 60
LARGEST_BYTES = 4 << 30


class LimitedFile(io.FileIO):
    """A file that refuses to grow beyond `LARGEST_BYTES`: a server may send without end."""

    def write(self, block: bytes) -> int:  # type: ignore[override]
        """Append a block of bytes."""
        if self.tell() + len(block) > LARGEST_BYTES:
            raise DataError(f"the server sends more than {LARGEST_BYTES} bytes, more than any archive needed here has.")
        return super().write(block)


def fetch(url: str, target: Path, sha256: str) -> None:
    """Download a file, unless it exists already.

    Parameters
    ----------
    url : str
        Starts with ``https://`` or ``http://``.
    target : Path
        Written whole or not at all; its folder is made. A broken download starts anew at the next call: pooch does not
        resume, and the archives have less than 100 MB.
    sha256 : str
        Required SHA-256 of the file, 64 hexadecimal digits.

    Raises
    ------
    DataError
        If the server or the network fails, the disk is too small, or the sum differs; also if `target` exists with
        another sum, and then it is left as it is.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DataError(f"{sha256!r} is not a SHA-256: 64 hexadecimal digits are needed.")
    if not url.startswith(("https://", "http://")):
        raise DataError(f"{url}: the address must start with https:// or http://.")
    expected = sha256.lower()
    if target.is_file():
        if pooch.file_hash(str(target)) != expected:
            raise DataError(
                f"{target}: this file exists, with another SHA-256 than {url} must have; it was left as it is. Move it "
                "away, or choose another --archives."
            )
        return
    try:
        pooch.retrieve(url, f"sha256:{expected}", target.name, target.parent, downloader=_download)
    except DataError as error:
        raise DataError(f"{url}: {error}") from None
    except requests.HTTPError as error:
        answer = error.response
        raise DataError(f"{url}: the server answers {answer.status_code} {answer.reason}.") from error
    except OSError as error:
        raise DataError(f"{url}: the download failed ({error}). Run the command again.") from error
    except ValueError as error:  # pooch's word for another sum
        raise DataError(
            f"{url}: {error}\nRun the command again. If the sum stays the same, the file on the "
            "server has changed: ask its publisher, and if it is right say --sha256 NAME=SUM."
        ) from error


def _download(url: str, output_file: str, _: object) -> None:
    """Download as pooch asks for it, after making sure that the disk has room."""
    answer = requests.head(url, allow_redirects=True, timeout=TIMEOUT_S)
    require_space(Path(output_file).parent, int(answer.headers.get("Content-Length", 0)), f"downloading {url}")
    with LimitedFile(output_file, "w") as stream:
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT_S)(url, stream, None)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise DataError if the disk of a folder has less than `needed` bytes free; `what` names the purpose."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: the disk is too full for {what}: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are "
            "free. Free some, or choose a folder on another disk."
        )
