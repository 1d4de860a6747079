"""Pipelines as JSON (.json), which CellProfiler 4.2 and later write: other modules keep each of their characters."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from cpunet.conversion.saved import PRIMARY, UNET, SavedModule, Setting
from cpunet.errors import PipelineError

SPACE = re.compile(r"\s*")
# Where CellProfiler finds the code of a module.
CODE_OF_MODULES = {
    PRIMARY: "cellprofiler.modules.identifyprimaryobjects.IdentifyPrimaryObjects",
    UNET: "identifyobjectsunet.IdentifyObjectsUNet",
}


@dataclass(frozen=True)
class JsonPipeline:
    """A pipeline in JSON: its text, and where each module stands in it."""

    text: str
    spans: Tuple[Tuple[int, int], ...]
    contents: Tuple[Dict[str, Any], ...]

    @property
    def modules(self) -> Sequence[SavedModule]:
        """Return all modules in order."""
        return [_module_of(content, number) for number, content in enumerate(self.contents, start=1)]

    def with_modules(self, changed: Mapping[int, SavedModule]) -> bytes:
        """Return the file with these modules in the places of those of the same number, and all else kept."""
        text, done = [], 0
        for number, ((start, end), content) in enumerate(zip(self.spans, self.contents), start=1):
            if number in changed:
                text += [self.text[done:start], self._written(start, end, _changed(content, changed[number]))]
                done = end
        return "".join([*text, self.text[done:]]).encode("utf-8")

    def _written(self, start: int, end: int, content: Dict[str, Any]) -> str:
        """Write a module as the file writes it: on one line, or indented as deep as it was."""
        if "\n" not in self.text[start:end]:
            return json.dumps(content)
        line_start = self.text.rfind("\n", 0, start) + 1
        margin = self.text[line_start:start]
        margin = margin if not margin.strip() else ""
        inner = re.search(r"\n([ \t]*)", self.text[start:end])
        step = inner[1][len(margin) :] if inner and inner[1].startswith(margin) else ""
        written = json.dumps(content, indent=step or 4)
        line_end = "\r\n" if "\r\n" in self.text[start:end] else "\n"
        return written.replace("\n", line_end + margin)


def read_json(content: bytes) -> JsonPipeline:
    """Read a pipeline in JSON.

    Raises
    ------
    PipelineError
        If the file is no JSON, or holds no modules as CellProfiler's pipelines do.
    """
    try:
        text = content.decode("utf-8")
        top = json.loads(text)
    except ValueError as error:
        raise PipelineError(f"this is no pipeline in JSON: {error}. Save it again in CellProfiler.") from error
    if not is_pipeline(top):
        raise PipelineError(
            "this JSON file is no pipeline: it has no list of modules with attributes and settings. Give a pipeline "
            "that CellProfiler saved."
        )
    spans = _spans_of_modules(text)
    return JsonPipeline(text, tuple(spans), tuple(top["modules"]))


def is_pipeline(top: Any) -> bool:
    """Return whether the content of a JSON file has modules as CellProfiler writes them."""
    modules = top.get("modules") if isinstance(top, dict) else None
    return isinstance(modules, list) and all(
        isinstance(module, dict)
        and isinstance(module.get("attributes"), dict)
        and isinstance(module["attributes"].get("module_name"), str)
        and isinstance(module["attributes"].get("variable_revision_number"), int)
        and isinstance(module.get("settings"), list)
        and all(isinstance(setting, dict) and "value" in setting for setting in module["settings"])
        for module in modules
    )


def _spans_of_modules(text: str) -> List[Tuple[int, int]]:
    """Return where each element of the list ``modules`` begins and ends; the text is known to be JSON."""
    decoder = json.JSONDecoder()
    spans: List[Tuple[int, int]] = []
    place = _behind_space(text, _behind_space(text, 0) + 1)
    while text[place] != "}":
        key, place = decoder.raw_decode(text, place)
        place = _behind_space(text, _behind_space(text, place) + 1)  # the colon
        if key == "modules":
            spans = _spans_of_elements(text, place)
        _, place = decoder.raw_decode(text, place)
        place = _behind_space(text, place)
        if text[place] == ",":
            place = _behind_space(text, place + 1)
    return spans


def _spans_of_elements(text: str, place: int) -> List[Tuple[int, int]]:
    decoder = json.JSONDecoder()
    spans = []
    place = _behind_space(text, place + 1)
    while text[place] != "]":
        _, end = decoder.raw_decode(text, place)
        spans.append((place, end))
        place = _behind_space(text, end)
        if text[place] == ",":
            place = _behind_space(text, place + 1)
    return spans


def _behind_space(text: str, place: int) -> int:
    found = SPACE.match(text, place)
    assert found is not None  # the pattern fits the empty text
    return found.end()


def _module_of(content: Mapping[str, Any], number: int) -> SavedModule:
    attributes = content["attributes"]
    settings = tuple(
        Setting(str(setting.get("text", "")), _text_of(setting["value"]), _text_of(setting["value"]))
        for setting in content["settings"]
    )
    return SavedModule(
        number,
        attributes["module_name"],
        attributes["variable_revision_number"],
        bool(attributes.get("enabled", True)),
        settings,
    )


def _text_of(value: Any) -> str:
    """Return a value as text; a file that was written by hand may hold numbers, true or false."""
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else str(value)


def _changed(content: Mapping[str, Any], module: SavedModule) -> Dict[str, Any]:
    attributes = {
        **content["attributes"],
        "variable_revision_number": module.revision,
        "module_name": module.name,
        "module_path": CODE_OF_MODULES[module.name],
    }
    settings = [{"name": setting.kind, "text": setting.text, "value": setting.value} for setting in module.settings]
    return {**content, "attributes": attributes, "settings": settings}
