"""The button that takes over the settings of an IdentifyPrimaryObjects in the pipeline that is open in the window."""

from __future__ import annotations

from typing import Any, List, Optional

from cellprofiler_core.constants.pipeline import DIRECTION_DOWN, DIRECTION_UP
from cellprofiler_core.setting.do_something import DoSomething

from cpunet.conversion import primary_settings, unet_settings
from cpunet.conversion.downstream import readers_of
from cpunet.conversion.exchange import Exchange, unet_for
from cpunet.conversion.saved import PRIMARY, SavedModule, Setting
from cpunet.conversion.table import said_of
from cpunet.errors import PipelineError
from cpunet.plugin.dialogs import ask_which, show_lines


class TakeOver:
    """The button, and what it does. CellProfiler's window tells the module its pipeline; nothing else does.

    Attributes
    ----------
    pipeline : cellprofiler_core.pipeline.Pipeline or None
        That of the window while the module is shown there.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.pipeline: Optional[Any] = None
        self.button = DoSomething(
            "Replace a module of this pipeline",
            "Take over from IdentifyPrimaryObjects",
            self.take_over,
            doc="""\
*(Used only if an IdentifyPrimaryObjects is enabled in the pipeline)*

Enters the names, the diameter range, the filters and the other settings that both modules have.
**IdentifyPrimaryObjects** is disabled, and this module is moved to the place below it. The model and the other settings
of this module stay as they are. To go back, enable **IdentifyPrimaryObjects** and disable this module.""",
        )

    def visible(self) -> List[Any]:
        """Return the button if there is a module to take over from."""
        return [self.button] if self.sources() else []

    def sources(self) -> List[Any]:
        """Return each enabled IdentifyPrimaryObjects of the pipeline."""
        modules = [] if self.pipeline is None else self.pipeline.modules()
        return [module for module in modules if module.module_name == PRIMARY]

    def take_over(self) -> None:
        """Take the place of an IdentifyPrimaryObjects: that of the pipeline, or which the user chooses."""
        sources, pipeline = self.sources(), self.pipeline
        place: Optional[int] = 0
        if len(sources) > 1:
            names = [f"{source.y_name.value} (module {source.module_num})" for source in sources]
            place = ask_which("Which IdentifyPrimaryObjects is to be replaced?", names)
        if not sources or pipeline is None or place is None:
            return
        source = sources[place]
        try:
            exchange = unet_for(_saved(source), {})
        except PipelineError as error:  # of a newer CellProfiler
            show_lines(self.button.label, [str(error)])
            return
        _enter(self.module, exchange)
        pipeline.disable_module(source)
        _move_below(pipeline, self.module, source)
        later = [_saved(module) for module in pipeline.modules()]
        readers = [f"    {reader}, which this module does not make" for reader in readers_of(later, exchange)]
        show_lines(
            self.button.label,
            [
                f"IdentifyPrimaryObjects (module {source.module_num}) is disabled, and this module stands below it.",
                *said_of(exchange),
                *(["Later modules read what is made no more:"] if readers else []),
                *readers,
            ],
        )


def _saved(module: Any) -> SavedModule:
    """Return a module of the window as a pipeline file would hold it."""
    settings = tuple(Setting(setting.text, setting.unicode_value) for setting in module.settings())
    return SavedModule(module.module_num, module.module_name, module.variable_revision_number, module.enabled, settings)


def _enter(module: Any, exchange: Exchange) -> None:
    """Give the module the values of the settings that it shares with IdentifyPrimaryObjects."""
    settings = module.settings()
    for name, place in unet_settings.PLACES.items():
        if name in primary_settings.TEXTS:
            settings[place].value = exchange.after.settings[place].value


def _move_below(pipeline: Any, module: Any, other: Any) -> None:
    """Move a module to the place below another one, as the arrows of the window do."""
    while module.module_num < other.module_num:
        pipeline.move_module(module.module_num, DIRECTION_DOWN)
    while module.module_num > other.module_num + 1:
        pipeline.move_module(module.module_num, DIRECTION_UP)
