"""Convert the content of a pipeline file: a text to a text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Sequence, Tuple

from cpunet.conversion.downstream import Reader, readers_of, readers_of_outlines
from cpunet.conversion.exchange import Exchange, primary_for, unet_for
from cpunet.conversion.json_format import read_json
from cpunet.conversion.project_format import is_project, read_project
from cpunet.conversion.removed_modules import said_of_removed
from cpunet.conversion.saved import NAMES_OF_PRIMARY, UNET, SavedModule, SavedPipeline
from cpunet.conversion.text_format import is_text, read_text
from cpunet.conversion.unet_settings import DECLUMP_PROBABILITY, MODEL_FROM_FILE
from cpunet.conversion.upstream import said_of_input
from cpunet.errors import PipelineError
from cpunet.model.find import DEFAULT_MODEL, FLOAT32_NAMES, find_model, list_models

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")
MATLAB = b"MATLAB 5.0 MAT-file"


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes
    ----------
    back : bool
        Put IdentifyPrimaryObjects in the place of IdentifyObjectsUNet, instead of the other way round.
    modules : tuple of str
        The numbers of the modules, or the names of their objects; empty for all.
    chosen : mapping of str to str
        Settings of IdentifyObjectsUNet that the user decides on; see `choices_of_model`.
    """

    back: bool = False
    modules: Tuple[str, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Converted:
    """What became of a pipeline.

    Attributes
    ----------
    content : bytes
        Of the new file.
    exchanges : tuple of Exchange
        The modules that were exchanged; empty if the pipeline has none.
    readers, readers_of_outlines : tuple of Reader
        The settings that read what is made no more. CellProfiler 3 and 4 make no outlines in the old module either.
    notes : tuple of str
        What else a user should know: modules that need another model, names that CellProfiler refuses, input images in
        which a network sees nothing, modules that CellProfiler does not read any more.
    """

    content: bytes
    exchanges: Tuple[Exchange, ...]
    readers: Tuple[Reader, ...] = ()
    readers_of_outlines: Tuple[Reader, ...] = ()
    notes: Tuple[str, ...] = ()


def read_pipeline(content: bytes) -> SavedPipeline:
    """Read a pipeline file, whose kind is told by its content.

    Raises
    ------
    PipelineError
        If it is none, or one of CellProfiler 1.
    RuntimeMissingError
        If it is a project, and the package h5py is not installed.
    """
    if is_text(content):
        return read_text(content)
    if is_project(content):
        return read_project(content)
    if content.startswith(MATLAB):
        raise PipelineError(
            "this pipeline, or its output, was saved by CellProfiler 1 (MATLAB). Open it in CellProfiler 2.0 to 2.2, "
            "save it there as a .cp or .cppipe file, and convert that."
        )
    if content.lstrip()[:1] == b"{":
        return read_json(content)
    raise PipelineError(
        "this is no pipeline: it begins neither with 'CellProfiler Pipeline: http://www.cellprofiler.org' nor as JSON "
        "or HDF5 files do. Give a .cppipe, .cp, .json or .cpproj file that CellProfiler saved."
    )


def convert(content: bytes, request: Request) -> Converted:
    """Exchange the modules of a pipeline file.

    Parameters
    ----------
    content : bytes
        Of a .cppipe, .cp, .json or .cpproj file.
    request : Request

    Returns
    -------
    Converted
        All other modules, the header and the list of images are as they were.

    Raises
    ------
    PipelineError
        If the file, or a module that is to be exchanged, cannot be read; or if a module that was asked for is not
        there.
    """
    pipeline = read_pipeline(content)
    exchanges = [
        primary_for(module) if request.back else unet_for(module, request.chosen)
        for module in _modules_asked_for(pipeline.modules, request)
    ]
    if not exchanges:
        return Converted(content, ())
    new: Dict[int, SavedModule] = {exchange.after.number: exchange.after for exchange in exchanges}
    after = [new.get(module.number, module) for module in pipeline.modules]
    return Converted(
        pipeline.with_modules(new),
        tuple(exchanges),
        tuple(reader for exchange in exchanges for reader in readers_of(after, exchange)),
        tuple(reader for exchange in exchanges for reader in readers_of_outlines(after, exchange)),
        (
            *_said_of_models(exchanges, request),
            *_said_of_names(exchanges),
            *(said for exchange in exchanges for said in said_of_input(after, exchange)),
            *said_of_removed(after),
        ),
    )


def choices_of_model(name_or_path: str) -> Dict[str, str]:
    """Return the settings that make IdentifyObjectsUNet use a model.

    Parameters
    ----------
    name_or_path : str
        As `cpunet.model.find.find_model` takes it.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    path = find_model(name_or_path)
    if name_or_path in (DEFAULT_MODEL, *FLOAT32_NAMES, *list_models()):
        return {"model": name_or_path}
    # Forward slashes do in Windows, too. CellProfiler would read a part of `C:\xray` as an escape.
    folder = os.path.abspath(path.parent).replace(os.sep, "/")
    return {"model": MODEL_FROM_FILE, "model_folder": f"Elsewhere...|{folder}", "model_file": path.name}


def choices_of_probability() -> Dict[str, str]:
    """Return the settings that split touching objects by the network's output, without smoothing it."""
    return {"declump": DECLUMP_PROBABILITY, "smoothing_automatic": "Yes", "distance_automatic": "Yes"}


def _said_of_models(exchanges: Sequence[Exchange], request: Request) -> List[str]:
    """Say that several modules now use one model, which may know only some of their objects."""
    if request.back or request.modules or "model" in request.chosen or len(exchanges) < 2:
        return []
    names = ", ".join(_objects_of(exchange.before) for exchange in exchanges)
    return [
        f"all modules ({names}) use the model {DEFAULT_MODEL} now, and it knows one kind of objects. Leave other kinds "
        "to IdentifyPrimaryObjects, or give them another model: --modules and --model"
    ]


def _said_of_names(exchanges: Sequence[Exchange]) -> List[str]:
    """Say which names of objects CellProfiler 2 allowed, and version 4 does not."""
    return [
        f"module {exchange.after.number}, {exchange.after.name}: CellProfiler 4.2 takes only names of the letters A to "
        f"Z, digits and _ that do not begin with a digit, and not {name}. Rename the objects here and in later modules"
        for exchange in exchanges
        for name in [_objects_of(exchange.after)]
        if not NAME.match(name)
    ]


def _modules_asked_for(modules: Sequence[SavedModule], request: Request) -> List[SavedModule]:
    names = (UNET,) if request.back else NAMES_OF_PRIMARY
    possible = [module for module in modules if module.name in names]
    if not request.modules:
        return possible
    found = [module for module in possible if {str(module.number), _objects_of(module)} & {*request.modules}]
    known = {word for module in possible for word in (str(module.number), _objects_of(module))}
    missing = [word for word in request.modules if word not in known]
    if missing:
        there = ", ".join(f"{module.number} ({_objects_of(module)})" for module in possible) or "none"
        raise PipelineError(
            f"--modules {','.join(missing)}: there is no {names[0]} of this number, or with objects of this name. "
            f"Those that are there: {there}."
        )
    return found


def _objects_of(module: SavedModule) -> str:
    return module.settings[1].value if len(module.settings) > 1 else ""
