"""What a biologist does in CellProfiler's window with IdentifyObjectsUNet, from an empty project to results.

    PYTHONPATH=<folder with wx> python tests/window/scenario.py OUTPUT

Needs a screen. Writes into OUTPUT screenshots and report.json: what was seen, for the tests to judge.
"""

import os
import shutil
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = Path(sys.argv[1]).resolve()
PLUGINS = REPOSITORY / "plugins"
OUTPUT.mkdir(parents=True, exist_ok=True)
# The user's preferences stay as they are, and no dialog asks for them.
os.environ["HOME"], os.environ["XDG_CONFIG_HOME"] = str(OUTPUT), str(OUTPUT / ".config")
(OUTPUT / ".config").mkdir(exist_ok=True)
for preferences_file in (OUTPUT / ".CellProfilerLocal.cfg", OUTPUT / ".config" / "CellProfilerLocal.cfg"):
    preferences_file.write_text("Telemetry=0\nTelemetry\\ prompt=0\nStartupBlurb=0\n", encoding="utf-8")
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parent)]

import matplotlib

matplotlib.use("WXAgg")

import cellprofiler_core.preferences as preferences
import wx
import wx.grid
import wx.html  # before the preferences make a wx.App, or it shows nothing

preferences.set_awt_headless(True)
preferences.set_plugin_directory(str(PLUGINS), globally=False)

import cellprofiler.gui.app
import cellprofiler.gui.cpframe  # before the names below, which import one another in a circle
from cellprofiler.gui.figure import Figure
from cellprofiler.gui.namesubscriber import NameSubscriberComboBox
from cellprofiler.gui.utilities.module_view import edit_control_name
from window_driver import Driver, descendants, gone, later, press, seconds, send, shown

from benchmarks.pipeline_text import example_folder, make_module, read_pipeline, text_of

NAME = "IdentifyObjectsUNet"
WORKERS = 2
TILE_PX = 352  # the smallest for the default model, so that there are very many tiles


def scenario(driver):
    """Yield the conditions to wait for; see `window_driver.Driver`."""
    controller = driver.frame.pipeline_controller
    driver.frame.SetSize(0, 0, 1280, 940)
    yield seconds(2)
    yield from take_over(driver, controller)
    yield from open_images(driver, controller)
    yield from add_modules(driver, controller)
    module = the_module(driver)
    yield from edit(driver, module)
    yield from break_a_setting(driver, module)
    measure_validation(driver, module)
    yield from read_dialogs(driver, module)
    yield from read_help(driver)
    yield from save_and_open(driver, controller)
    yield from step(driver, controller)
    yield from stop_between_tiles(driver, controller, the_module(driver))
    yield from analyze(driver, controller)


def the_module(driver):
    """Return the module in the pipeline of the window."""
    return next(module for module in driver.frame.pipeline.modules() if module.module_name == NAME)


def names(driver):
    """Return the names of the modules in the pipeline of the window."""
    return [module.module_name for module in driver.frame.pipeline.modules()]


def take_over(driver, controller):
    """Open a pipeline in which the module stands apart from IdentifyPrimaryObjects, and press the button."""
    modules = read_pipeline((example_folder() / "ExampleFly.cppipe").read_text(encoding="utf-8")).modules()
    pipeline = OUTPUT / "both.cppipe"
    pipeline.write_text(text_of([*modules[:10], make_module(NAME)]), encoding="utf-8")
    controller.do_load_pipeline(str(pipeline))
    yield seconds(1)
    module = the_module(driver)
    driver.frame.get_pipeline_list_view().select_one_module(module.module_num)
    button = yield control(driver, module.take_over.button)
    yield from driver.shoot(driver.frame, "take-over")
    later(send, button, wx.EVT_BUTTON)
    dialog = yield shown("Take over from IdentifyPrimaryObjects", wx.Dialog)
    texts = [child.GetValue() for child in descendants(dialog) if isinstance(child, wx.TextCtrl)]
    yield from driver.shoot(dialog, "taken-over")
    later(dialog.EndModal, wx.ID_OK)
    yield gone(dialog)
    yield seconds(1)
    yield from driver.shoot(driver.frame, "taken-over-settings")
    panel = driver.frame.get_module_view().get_module_panel()
    driver.report["taken over"] = {
        "said": "\n".join(texts),
        "modules": [[each.module_name, each.enabled] for each in driver.frame.pipeline.modules(False)[7:9]],
        "shown": [
            panel.FindWindowByName(edit_control_name(each)).GetValue() for each in (module.x_name, module.y_name)
        ],
        "selected": [each.module_num for each in driver.frame.get_pipeline_list_view().get_selected_modules()],
        "button": module.take_over.button in module.visible_settings(),
    }


def open_images(driver, controller):
    """Load the four input modules of ExampleFly, and drop its images on the window."""
    example = example_folder()
    modules = read_pipeline((example / "ExampleFly.cppipe").read_text(encoding="utf-8")).modules()
    pipeline = OUTPUT / "input.cppipe"
    pipeline.write_text(text_of(modules[:4]), encoding="utf-8")
    controller.do_load_pipeline(str(pipeline))
    # the Images module leaves out what lies in a folder whose name begins with a dot, as a virtual environment may
    images = OUTPUT / "images"
    shutil.copytree(example / "images", images, dirs_exist_ok=True)
    later(controller.add_paths_to_pathlist, [str(images)])
    yield lambda: len(driver.frame.pipeline.file_list) >= 9
    yield seconds(2)


def add_modules(driver, controller):
    """Find the module by its category and by search; add it, and an export."""
    driver.frame.get_pipeline_list_view().select_one_module(4)
    later(controller.open_add_modules)
    window = yield shown("Add modules")
    categories = window._AddModuleFrame__module_categories_list_box
    modules = window._AddModuleFrame__module_list_box
    categories.SetStringSelection("Object Processing")
    send(categories, wx.EVT_LISTBOX)
    driver.report["in Object Processing"] = list(modules.GetItems())
    modules.SetStringSelection(NAME)
    yield from driver.shoot(window, "add-modules")
    window.search_text.SetValue("unet")
    driver.report["found by unet"] = list(modules.GetItems())
    press(window, "+ Add to Pipeline")
    yield lambda: NAME in names(driver)
    driver.frame.get_pipeline_list_view().select_one_module(5)
    yield seconds(0.5)
    window.search_text.SetValue("exporttospreadsheet")
    press(window, "+ Add to Pipeline")
    yield lambda: len(names(driver)) == 6
    window.Close()
    driver.report["pipeline"] = names(driver)


def control(driver, setting):
    """Return a condition that finds the control of a setting of the module that is shown."""
    panel = driver.frame.get_module_view().get_module_panel()
    return lambda: panel.FindWindowByName(edit_control_name(setting))


def choose(driver, setting, value):
    """Change a setting by its control, as the user does, and wait until the module has it."""
    found = yield control(driver, setting)
    if isinstance(found, wx.RadioBox):
        found.SetStringSelection(value)
        send(found, wx.EVT_RADIOBOX)
    elif isinstance(found, NameSubscriberComboBox):
        found.SetValue(value)
        send(found.combo_dlg, wx.EVT_COMBOBOX)
    elif isinstance(found, wx.ComboBox):
        found.SetValue(value)
        send(found, wx.EVT_COMBOBOX)
    else:
        found.SetValue(value)
    yield lambda: setting.value_text == value
    yield seconds(0.6)


def edit(driver, module):
    """Choose the image, and make every setting visible that can be at one time."""
    driver.frame.get_pipeline_list_view().select_one_module(module.module_num)
    yield seconds(1)
    yield from choose(driver, module.x_name, "OrigBlue")
    yield from choose(driver, module.exclude_size, "Yes")
    yield from choose(driver, module.exclude_border_objects, "Yes")
    yield from driver.shoot(driver.frame, "settings")
    more = module.advanced_settings
    yield from choose(driver, module.rescale, "By a factor")
    yield from choose(driver, module.advanced, "Yes")
    automatic = (more.smoothing_automatic, more.distance_automatic, more.tiles_automatic, more.memory_automatic)
    for setting in (module.advanced_settings.use_model_threshold, *automatic):
        yield from choose(driver, setting, "No")
    yield from choose(driver, module.probability_settings.save, "Yes")
    yield from choose(driver, more.limit_choice, "Erase")
    yield from choose(driver, more.outlines, "At a level of the edge")
    button = yield control(driver, module.probability_settings.add_button)
    later(send, button, wx.EVT_BUTTON)
    yield lambda: len(module.probability_settings.further) == 1
    yield seconds(1)
    panel = driver.frame.get_module_view().get_module_panel()
    visible = module.visible_settings()
    driver.report["settings"] = len(module.settings())
    driver.report["visible settings"] = [setting.text for setting in visible]
    driver.report["without a control"] = [
        setting.text for setting in visible if panel.FindWindowByName(edit_control_name(setting)) is None
    ]
    for part, line in enumerate((0, 25, 10000)):
        panel.Scroll(0, line)
        yield from driver.shoot(driver.frame, f"settings-all-{part + 1}")
    for setting in (module.advanced_settings.use_model_threshold, *automatic):
        yield from choose(driver, setting, "Yes")
    yield from choose(driver, module.rescale, "By the objects in the image")
    yield from choose(driver, more.limit_choice, "Continue")
    yield from choose(driver, more.outlines, "As the model learned")


def break_a_setting(driver, module):
    """Enter tiles that are too small for the model, and mend that again."""
    more = module.advanced_settings
    yield from choose(driver, more.tiles_automatic, "No")
    yield from choose(driver, more.tile_px, "100")
    found = control(driver, more.tile_px)

    def complaint():
        tip = found().GetToolTip()
        return tip and tip.GetTip()

    driver.report["complaint about a setting"] = yield complaint
    panel = driver.frame.get_module_view().get_module_panel()
    panel.Scroll(0, 25)
    yield seconds(1)
    yield from driver.shoot(driver.frame, "setting-at-fault")
    yield from choose(driver, more.tile_px, "1024")
    yield lambda: not complaint()
    yield from choose(driver, more.tiles_automatic, "Yes")


def measure_validation(driver, module):
    """Time what runs at each edit, with advanced settings, for each model that is shipped."""
    chosen, milliseconds = module.model_name.value, {}
    for model in module.model_name.choices[:-1]:
        module.model_name.value = model
        for what, call in (
            ("validate_module", lambda: module.validate_module(driver.frame.pipeline)),
            ("visible_settings", module.visible_settings),
        ):
            times = []
            for _ in range(31):
                begun = time.perf_counter()
                call()
                times.append(1000 * (time.perf_counter() - begun))
            # The first may read files; of the others the median, as the machine may do something else for a moment.
            milliseconds[f"{what}, {model}"] = [round(times[0], 2), round(sorted(times)[15], 2)]
    module.model_name.value = chosen
    driver.report["validation ms"] = milliseconds
    driver.report["onnxruntime after validation"] = "onnxruntime" in sys.modules


def read_dialogs(driver, module):
    """Press the buttons, read what their dialogs say, and close these."""
    for name, setting, title in (
        ("describe-model", module.model_settings.describe_button, "Model"),
        ("check-device", module.device_button, "Device"),
    ):
        button = yield control(driver, setting)
        later(send, button, wx.EVT_BUTTON)
        dialog = yield shown(title, wx.Dialog)
        texts = [child.GetValue() for child in descendants(dialog) if isinstance(child, wx.TextCtrl)]
        driver.report[name] = "\n".join(texts)
        yield from driver.shoot(dialog, name)
        later(dialog.EndModal, wx.ID_OK)
        yield gone(dialog)


def read_help(driver):
    """Open the module's help."""
    later(driver.frame.do_help_modules, driver.frame.get_pipeline_list_view().get_selected_modules())
    window = yield shown("Help")
    yield seconds(1)
    pages = [child for child in descendants(window) if isinstance(child, wx.html.HtmlWindow)]
    driver.report["help"] = "\n".join(page.ToText() for page in pages)
    yield from driver.shoot(window, "help")
    window.Close()
    yield gone(window)


def values(driver):
    """Return the text of each setting of each module."""
    return [
        [module.module_name, [setting.value_text for setting in module.settings()]]
        for module in driver.frame.pipeline.modules()
    ]


def save_and_open(driver, controller):
    """Save the project, make a new one, and open the saved one again."""
    project = OUTPUT / "project.cpproj"
    driver.report["saved"] = values(driver)
    controller.do_save_workspace(str(project))
    controller.do_create_workspace()
    yield seconds(1)
    driver.report["after new project"] = names(driver)
    later(controller.do_open_workspace, str(project))
    yield lambda: NAME in names(driver)
    yield seconds(2)
    driver.report["opened"] = values(driver)


def step(driver, controller):
    """Run the module in test mode, and look at its figure."""
    later(controller.start_debugging)
    yield controller.is_in_debug_mode
    yield seconds(2)
    later(controller.on_debug_step, None)
    figure = yield shown(NAME, Figure)
    yield seconds(3)
    driver.report["figure"] = seen = {
        "titles": [axes.get_title() for axes in figure.figure.axes],
        "table": figure.table,
        "rows cut off": {},
        "columns cut off": {},
        "size as it opens": list(figure.GetSize()),
    }
    for name, size in (("as it opens", None), ("large", (1240, 860)), ("small", (900, 600))):
        if size:
            figure.SetSize(20, 20, *size)
            yield seconds(2)
        yield from driver.shoot(figure, f"figure {name}".replace(" ", "-"))
        seen["rows cut off"][name], seen["columns cut off"][name] = cut_off(figure)
    figure.Close()
    yield gone(figure)


def cut_off(figure):
    """Return how many rows and columns of the figure's table are not to be seen."""
    table = next(child for child in descendants(figure) if isinstance(child, wx.grid.Grid))
    inside, place = table.GetParent().GetClientSize(), table.GetPosition()
    height = min(table.GetClientSize().height, inside.height - place.y) - table.GetColLabelSize()
    width = min(table.GetClientSize().width, inside.width - place.x) - table.GetRowLabelSize()
    heights = [table.GetRowSize(row) for row in range(table.GetNumberRows())]
    widths = [table.GetColSize(column) for column in range(table.GetNumberCols())]
    return tuple(
        sum(sum(sizes[: last + 1]) > most for last in range(len(sizes)))
        for sizes, most in ((heights, height), (widths, width))
    )


def stop_between_tiles(driver, controller, module):
    """Run the module on very many tiles, and press Cancel in the window of progress."""
    more = module.advanced_settings
    before = more.tiles_automatic.value_text, more.tile_px.value_text, more.augmentation.value_text
    more.tiles_automatic.value, more.tile_px.value, more.augmentation.value = False, TILE_PX, "Flips and rotations"
    driver.frame.get_pipeline_list_view().set_current_debug_module(module)
    seen, begun = watch_progress(driver), time.monotonic()
    later(controller.on_debug_step, None)
    yield lambda: seen.get("pressed")
    yield seconds(2)
    dialogs = [window for window in wx.GetTopLevelWindows() if window.IsShown() and isinstance(window, wx.Dialog)]
    driver.report["progress"] = {
        **seen,
        "seconds": round(time.monotonic() - begun, 1),
        "dialogs after": [dialog.GetTitle() for dialog in dialogs],
        "still at": controller.current_debug_module().module_name,
        "figure after": bool(shown(NAME, Figure)()),
    }
    for dialog in dialogs:
        yield from driver.shoot(dialog, "after-stop")
        later(dialog.EndModal, wx.ID_CANCEL)
        yield gone(dialog)
    more.tiles_automatic.value, more.tile_px.value, more.augmentation.value = before
    controller.stop_debugging()
    yield seconds(1)


def watch_progress(driver):
    """Let the window of progress be photographed early, and stopped after its fourth tile by its own button.

    Returns
    -------
    dict
        Filled while the module runs: no timer ticks then.
    """
    seen = {"messages": []}
    kind = wx.ProgressDialog

    class Watched(kind):
        def __init__(self, title, *arguments, **named):
            super().__init__(title, *arguments, **named)
            seen["title"] = title

        def Update(self, value, message=""):  # noqa: N802  wx's name
            answer = super().Update(value, message)
            seen["messages"].append(message)
            if len(seen["messages"]) == 3:
                driver.shoot_now(self.GetScreenRect(), "progress")
            if len(seen["messages"]) == 4:
                seen["pressed"], wx.ProgressDialog = True, kind
                send(self.FindWindow(wx.ID_CANCEL), wx.EVT_BUTTON)
            return answer

    wx.ProgressDialog = Watched
    return seen


def analyze(driver, controller):
    """Run the whole experiment with two workers."""
    results = OUTPUT / "results"
    results.mkdir()
    preferences.set_default_output_directory(str(results))
    most_workers, begun = [0], time.monotonic()
    later(controller.do_analyze_images)

    def complete():
        analysis = controller._PipelineController__analysis
        runner = getattr(analysis, "runner", None)
        most_workers[0] = max(most_workers[0], len(getattr(runner, "workers", None) or []))
        return shown("Analysis complete")()

    dialog = yield complete
    driver.report["analysis"] = {"workers": most_workers[0], "seconds": round(time.monotonic() - begun, 1)}
    yield seconds(1)
    driver.shoot_now(dialog.GetScreenRect(), "analysis")
    later(dialog.EndModal, wx.ID_OK)
    yield gone(dialog)
    driver.report["analysis"]["figure"] = bool(shown(NAME, Figure)())
    driver.report["analysis"]["files"] = sorted(path.name for path in results.iterdir())


def main():
    """Start the application, and the scenario in it."""
    preferences.set_max_workers(WORKERS)
    preferences.set_show_analysis_complete_dlg(True)
    application = cellprofiler.gui.app.App(False)
    Driver(application.frame, OUTPUT, scenario)
    application.MainLoop()


if __name__ == "__main__":
    main()
