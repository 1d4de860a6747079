"""Exchange a saved module for the other one, and say what became of each setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

from cpunet.conversion import primary_settings, unet_settings
from cpunet.conversion.saved import PRIMARY, UNET, SavedModule, Setting

# What each module can be set to. A damaged pipeline, or one of a newer version, may say something else.
CHOICES_OF_UNET = {
    "declump": ("Shape", "Intensity", unet_settings.DECLUMP_NONE, unet_settings.DECLUMP_PROBABILITY),
    "fill_holes": ("Never", "After both thresholding and declumping", "After declumping only", "By the model"),
    "limit": ("Continue", "Erase"),
}
CHOICES_OF_PRIMARY = {
    "declump": ("Shape", "Intensity", primary_settings.DECLUMP_NONE),
    "fill_holes": ("Never", "After both thresholding and declumping", "After declumping only"),
    "limit": ("Continue", "Erase"),
}
LEAST_OBJECT_LIMIT_OF_PRIMARY = 2


@dataclass(frozen=True)
class Change:
    """What becomes of one setting.

    Attributes
    ----------
    before, value_before : str
        The setting of the old module, and its value; "" for a setting that only the new module has.
    after, value_after : str
        The setting of the new module, and its value; "" for a setting that only the old module has.
    """

    before: str
    value_before: str
    after: str
    value_after: str


@dataclass(frozen=True)
class Exchange:
    """A module in the place of another.

    Attributes
    ----------
    before, after : SavedModule
    changes : tuple of Change
        In the order of the old module's settings; then those that only the new module has.
    """

    before: SavedModule
    after: SavedModule
    changes: Tuple[Change, ...]

    @property
    def lost(self) -> Sequence[Change]:
        """Return the settings that only the old module has."""
        return [change for change in self.changes if not change.after]

    @property
    def added(self) -> Sequence[Change]:
        """Return the settings that only the new module has."""
        return [change for change in self.changes if not change.before]

    @property
    def altered(self) -> Sequence[Change]:
        """Return the settings that both modules have, and whose values differ."""
        return [
            change
            for change in self.changes
            if change.before and change.after and not _same(change.value_before, change.value_after)
        ]


def unet_for(primary: SavedModule, chosen: Mapping[str, str]) -> Exchange:
    """Put IdentifyObjectsUNet in the place of a saved IdentifyPrimaryObjects.

    Parameters
    ----------
    primary : SavedModule
        Of any known revision.
    chosen : mapping of str to str
        Values that the user asks for, by the names in `unet_settings`, such as ``model``.

    Returns
    -------
    Exchange

    Raises
    ------
    PipelineError
        If the settings cannot be those of the revision.
    """
    shared = primary_settings.shared_settings(primary)
    lines = shared.pop("lines")
    if lines.value == primary_settings.DECLUMP_NONE:  # without lines, CellProfiler leaves clumps as they are
        shared["declump"] = Setting(shared["declump"].text, unet_settings.DECLUMP_NONE)
    values = _accepted(shared, CHOICES_OF_UNET, unet_settings.NEWEST_SETTINGS)
    values.update({name: Setting("", value) for name, value in chosen.items()})
    after = _module(primary, UNET, unet_settings.NEWEST, unet_settings.NEWEST_SETTINGS, values)

    names = {place: name for name, place in primary_settings.places_of(primary).items()}
    became = {name: name for name in unet_settings.TEXTS}
    if shared["declump"].value != primary_settings.DECLUMP_NONE or lines.value == primary_settings.DECLUMP_NONE:
        became["lines"] = "declump"
    from_file = values.get("model", Setting("", "")).value == unet_settings.MODEL_FROM_FILE
    new = ["model", *(("model_folder", "model_file") if from_file else ())]
    return Exchange(primary, after, _changes(primary, names, became, after, new))


def primary_for(unet: SavedModule) -> Exchange:
    """Put IdentifyPrimaryObjects in the place of a saved IdentifyObjectsUNet; see `unet_for`.

    It is that of CellProfiler 4.2. What only it has is at its defaults.
    """
    named = unet_settings.named_settings(unet)
    shared = {name: named[name] for name in primary_settings.TEXTS if name in named}
    if shared["declump"].value in ("Shape", "Intensity"):
        shared["lines"] = Setting("", shared["declump"].value)
    shared["smoothing"] = Setting("", _whole(shared["smoothing"].value))
    shared["object_limit"] = Setting("", _at_least(shared["object_limit"].value, LEAST_OBJECT_LIMIT_OF_PRIMARY))
    values = _accepted(shared, CHOICES_OF_PRIMARY, primary_settings.NEWEST_SETTINGS)
    after = _module(unet, PRIMARY, primary_settings.NEWEST, primary_settings.NEWEST_SETTINGS, values)

    names = {place: name for name, place in unet_settings.PLACES.items()}
    became = {name: name for name in primary_settings.TEXTS}
    new = [text for name, text, _, _ in primary_settings.NEWEST_SETTINGS if not name]
    return Exchange(unet, after, _changes(unet, names, became, after, ["lines", *new]))


def _accepted(
    shared: Mapping[str, Setting],
    choices: Mapping[str, Sequence[str]],
    newest: Sequence[Tuple[str, str, str, str]],
) -> Dict[str, Setting]:
    """Take the default in place of a value that the new module does not know."""
    defaults = {name: default for name, _, default, _ in newest}
    return {
        name: setting
        if name not in choices or setting.value in choices[name]
        else Setting(setting.text, defaults[name])
        for name, setting in shared.items()
    }


def _module(
    before: SavedModule,
    name: str,
    revision: int,
    newest: Sequence[Tuple[str, str, str, str]],
    values: Mapping[str, Setting],
) -> SavedModule:
    settings = []
    for setting_name, text, default, kind in newest:
        known = values.get(setting_name) if setting_name else None
        if known is None:
            settings.append(Setting(text, default, None, kind))
        else:
            settings.append(Setting(text, known.value, known.as_saved, kind))
    return SavedModule(before.number, name, revision, before.enabled, tuple(settings))


def _changes(
    before: SavedModule,
    names: Mapping[int, str],
    became: Mapping[str, str],
    after: SavedModule,
    new: Sequence[str],
) -> Tuple[Change, ...]:
    """Say what became of each setting.

    Parameters
    ----------
    before, after : SavedModule
    names : mapping of int to str
        The names of settings of the old module by their places.
    became : mapping of str to str
        The name of the new module's setting that each of these is.
    new : sequence of str
        Names, or texts, of settings that only the new module has.
    """
    newest = unet_settings.NEWEST_SETTINGS if after.name == UNET else primary_settings.NEWEST_SETTINGS
    place_of = {name: place for place, (name, _, _, _) in enumerate(newest) if name}
    changes: List[Change] = []
    for place, setting in enumerate(before.settings):
        name = became.get(names.get(place, ""), "")
        if name in place_of:
            now = after.settings[place_of[name]]
            changes.append(Change(setting.text, setting.value, now.text, now.value))
        else:
            changes.append(Change(setting.text, setting.value, "", ""))
    for (name, text, _, _), setting in zip(newest, after.settings):
        if (name or text) in new:
            changes.append(Change("", "", setting.text, setting.value))
    return tuple(changes)


def _whole(number: str) -> str:
    """Return a number rounded to pixels, as IdentifyPrimaryObjects takes it."""
    try:
        return str(round(float(number)))
    except (ValueError, OverflowError):
        return number


def _at_least(number: str, least: int) -> str:
    try:
        return number if int(number) >= least else str(least)
    except ValueError:
        return number


def _same(before: str, after: str) -> bool:
    """Return whether two values are the same text, or the same number."""
    if before == after:
        return True
    try:
        return float(before) == float(after)
    except ValueError:
        return False
