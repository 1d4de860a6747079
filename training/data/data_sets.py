"""What ``--data`` means, in each command: data sets, or folders that hold data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.find import find_folders
from cpunet.training.data.index import INDEX

WAY_OUT = (
    f"A data set is a folder with images/, labels/ and {INDEX}; give one, or the folder that holds several. "
    "`cpunet data import` makes one."
)
HELP = f"data sets (folders with {INDEX}, images/ and labels/), or folders that hold data sets"


def data_sets_in(folder: Path) -> list[Path]:
    """Return the folder itself if it is a data set, else the data sets among its subfolders, in order."""
    if (folder / INDEX).is_file():
        return [folder]
    return [path.parent for path in sorted(folder.glob(f"*/{INDEX}"))]


def find_data_sets(words: Sequence[Path], names: Sequence[str] = ()) -> list[Path]:
    """Find the data sets that the words of a command line mean.

    Parameters
    ----------
    words : sequence of Path
        Data sets, folders that hold data sets, or patterns of either.
    names : sequence of str
        Only the sets of these names; all if empty.

    Raises
    ------
    DataError
        If a word means no data set, or a name is not among them.
    """
    found: dict[Path, Path] = {}
    for word in find_folders(words):
        sets = data_sets_in(word)
        if not sets:
            what = "there is no such folder" if not word.is_dir() else f"there is no {INDEX} in it, nor one level below"
            raise DataError(f"{word}: {what}. {WAY_OUT}")
        found.update({path.resolve(): path for path in sets})
    chosen = [path for path in found.values() if not names or path.resolve().name in names]
    _refuse_missing(names, [path.resolve().name for path in found.values()], _listed(words))
    return chosen


def data_root(words: Sequence[Path], names: Sequence[str]) -> Path:
    """Find the folder below which the data sets of a configuration lie.

    Parameters
    ----------
    words : sequence of Path
        As for `find_data_sets`.
    names : sequence of str
        The folders that the configuration names.

    Raises
    ------
    DataError
        If a set is missing, or the sets lie in different folders.
    """
    roots: dict[Path, None] = {}
    given: list[str] = []
    for word in find_folders(words):
        if not (word / INDEX).is_file() and all((word / name / INDEX).is_file() for name in names):
            return word
        sets = data_sets_in(word)
        given += [path.resolve().name for path in sets]
        roots.update({path.resolve().parent: None for path in sets if path.resolve().name in names})
    _refuse_missing(names, given, _listed(words))
    return the_only(roots)


def the_only(roots: Iterable[Path]) -> Path:
    """Return the folder that holds all data sets of a training; DataError if there are several."""
    folders = list(dict.fromkeys(roots))
    if len(folders) > 1:
        raise DataError(
            f"The data sets lie in different folders ({_listed(folders)}). A training finds its sets by their names "
            "in one folder: move them, or links to them, into one."
        )
    return folders[0]


def check_names(folders: Sequence[Path]) -> None:
    """Raise DataError if two data sets have one name, by which a training and its model know them."""
    count = Counter(folder.resolve().name for folder in folders)
    twice = [name for name, number in count.items() if number > 1]
    if twice:
        raise DataError(f"Two of the data sets are called {twice[0]}: rename one of the folders.")


def _refuse_missing(names: Sequence[str], there: Sequence[str], where: str) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in there]
    if missing:
        raise DataError(
            f"--data {where}: the data set {missing[0]} is not there (found: {', '.join(sorted(set(there))) or 'none'}"
            f"). {WAY_OUT}"
        )


def _listed(paths: Sequence[Path]) -> str:
    return " ".join(map(str, paths))
