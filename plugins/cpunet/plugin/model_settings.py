"""Which model finds the objects: its settings, its file and its card."""

from __future__ import annotations

import functools
import html
import logging
import os
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

from cellprofiler_core.preferences import get_headless
from cellprofiler_core.setting import HTMLText
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.do_something import DoSomething
from cellprofiler_core.setting.text import Directory, Filename

from cpunet.choice.card import ChooserCard, chooser_card_of, read_chooser_card
from cpunet.choice.chooser import check_features, in_order_of_card, open_chooser
from cpunet.choice.model_choice import CHOSEN, choice_card, combined_model
from cpunet.errors import ModelError
from cpunet.model.card import INSTANCES, METADATA_KEY, VOLUMES, ModelCard
from cpunet.model.describe import describe
from cpunet.model.ensemble import average_cards
from cpunet.model.find import DEFAULT_MODEL, FLOAT32_NAMES, find_model, list_models
from cpunet.model.forms import chosen_form, forms_of, said_of_form, sum_of_file
from cpunet.model.session import OnnxModel, load_model, open_model
from cpunet.model.without_card import has_card
from cpunet.onnx_reader.metadata import card_in, metadata_of, read_card
from cpunet.onnx_reader.model_file import ModelFile, read_model_file
from cpunet.plugin.batch import AlterPath, map_file, map_folder
from cpunet.plugin.cardless_settings import CardlessSettings
from cpunet.plugin.dialogs import ask_for_folder, show_lines
from cpunet.plugin.host import prefer_models_folder, preferred_models_folder
from cpunet.plugin.measurements import ModelUsed
from cpunet.plugin.models_of_run import ModelsOfRun, form_of_run, sums_of, warn_of_changes

MODEL_FROM_FILE = "A model file of your own"


class ModelSettings:
    """The settings of the model and their meaning. Further models are named in the advanced settings."""

    def __init__(self) -> None:
        self.name = Choice(
            "Select the model",
            model_choices(),
            choices_fn=lambda pipeline: model_choices(),
            doc=f"""\
The network that finds the objects.

-  *{DEFAULT_MODEL}:* nuclei stained with a fluorescent dye (DAPI, Hoechst and
   similar), bright on a dark background.
   On CPUs with VNNI or AMX instructions it runs in 8-bit integers, and in float32 elsewhere; the log says which. The
   objects are nearly the same.
-  *nuclei_fluorescence_float32, nuclei_fluorescence_int8:* the same model, always in float32, or always in 8-bit
   integers. Choose one of them if several computers must give the same result.
-  *nuclei_fluorescence_1:* the default of earlier pipelines, at twice the cost. It is better on images like those of
   BBBC039 and the Data Science Bowl 2018, and worse on images of laboratories that it was not trained on.
-  *nuclei_generalist:* nuclei in fluorescence, in unstained bright field, and in stained
   tissue. It takes grayscale and color images. For fluorescence, *{DEFAULT_MODEL}* is better.
-  *phase_cells:* whole adherent cells in phase contrast, without a stain.
-  *{MODEL_FROM_FILE}:* an .onnx file that you trained and exported, or were given.

Other names in the list are .onnx files in your models folder; ``docs/choose-a-model.md``
says where this folder is. The README of each shipped model says what it was trained for and how well it works.""",
        )
        self.directory = Directory(
            "Folder of the model file",
            doc=f'*(Used only with "{MODEL_FROM_FILE}")*\n\nThe folder of the .onnx file.',
            allow_metadata=False,
        )
        self.file = Filename(
            "Name of the model file",
            "model.onnx",
            get_directory_fn=self.directory.get_absolute_path,
            set_directory_fn=lambda path: self.directory.join_parts(*self.directory.get_parts_from_path(path)),
            browse_msg="Choose a model",
            exts=[("ONNX model (*.onnx)", "*.onnx"), ("All files (*.*)", "*.*")],
            doc=f"""\
*(Used only with "{MODEL_FROM_FILE}")*

The .onnx file, as written by ``cpunet export``. Its model card says how
to prepare the input and what the output means.""",
        )
        self.description = HTMLText("", size=(1, 3))
        self.describe_button = DoSomething(
            "Describe the model",
            "Describe model",
            lambda: show_lines("Model", self.report()),
            doc="Shows the model card: the training images, the scores, the license and the file of the model.",
        )
        self.folder_button = DoSomething(
            "Choose the folder of your models",
            "Choose models folder",
            choose_models_folder,
            doc="""\
The .onnx files in this folder appear in the list of models, in this session and in later ones. Restart
CellProfiler before you analyze images with a model from a new folder.""",
        )
        self.cardless = CardlessSettings()
        self.of_run = ModelsOfRun("")

    def visible(self) -> List[Any]:
        """Return the settings that are shown."""
        visible = [self.name, self.directory, self.file] if self.name.value == MODEL_FROM_FILE else [self.name]
        if self.lacks_card():
            visible += self.cardless.all()
        else:
            self.description.content = html.escape(self.one_line())
            visible += [self.description]
        return [*visible, self.describe_button, self.folder_button]

    def path(self) -> Path:
        """Return the path of the model file; raise ModelError if none is chosen, or no model has the name."""
        if self.name.value != MODEL_FROM_FILE:
            return find_model(self.name.value)
        if not self.file.value.strip():
            raise ModelError("No model file is chosen. Enter its name, or browse for the .onnx file.")
        try:
            folder = self.directory.get_absolute_path()
        except ValueError as error:  # a pipeline file with an unknown kind of folder
            raise ModelError(f"The folder of the model file cannot be found ({error}). Choose it again.") from error
        return Path(folder, self.file.value)

    def map_paths(self, alter_path: AlterPath) -> None:
        """Rewrite the folder and the name of the model file for the computers of a cluster."""
        map_folder(self.directory, alter_path)
        map_file(self.file, alter_path)

    def card(self) -> ModelCard:
        """Return the model's own card, or that of the user's answers; raise ModelError if it cannot be used."""
        path = self.path()
        return card_in_file(path) or self.cardless.card(path)

    def average_card(self, further: Sequence[str]) -> ModelCard:
        """Return the card of the model and the further models together.

        Raises ModelError if a model cannot be used, or they cannot be averaged.
        """
        cards = [self.card(), *[card_of_further(name) for name in further]]
        return average_cards(cards) if further else cards[0]

    def combined_card(self, further: Sequence[str], chooser: Optional[str]) -> ModelCard:
        """Return the card of all models together, averaged or chosen among; ModelError where that is not possible."""
        return self.average_card(further) if chooser is None else self.choice_card(further, chooser)

    def choice_card(self, further: Sequence[str], chooser: str) -> ModelCard:
        """Return the card of the model and the further models among which a file chooses.

        Raises ModelError if a model or the file cannot be used, or they are not made for each other.
        """
        path = chooser_path(chooser)
        chooser_card = read_chooser_card(path)
        check_features(path, chooser_card)
        forms = [chosen_form(each, "cpu", known_sums(chooser_card)) for each in self.forms(further)]
        cards = [self.card(), *[card_of_further(name) for name in further]]
        names, sums = [card.name for card in cards], [sum_of_file(form) for form in forms]
        order = in_order_of_card(path, chooser_card, sums, names)
        return choice_card([cards[place] for place in order])

    def channels(self) -> Tuple[str, ...]:
        """Return the channels that the model's card names; none without a card, or if it cannot be used."""
        try:
            card = card_in_file(self.path())
        except (ModelError, OSError):
            return ()
        return () if card is None else card.input.channels

    def gives_objects(self) -> bool:
        """Return True if the model's card says that it gives objects; False also without a card that can be used."""
        try:
            card = card_in_file(self.path())
        except (ModelError, OSError):
            return False
        return card is not None and card.output.kind == INSTANCES

    def sees_volumes(self) -> bool:
        """Return True if the model's card says that it sees volumes; False also without a card that can be used."""
        try:
            card = card_in_file(self.path())
        except (ModelError, OSError):
            return False
        return card is not None and card.input.dimensions == VOLUMES

    def lacks_card(self) -> bool:
        """Return True if the file is a model without a card, so that the user must answer for it."""
        try:
            return card_in_file(self.path()) is None
        except (ModelError, OSError):
            return False

    def at_fault(self) -> Any:
        """Return the setting to mark if the model cannot be used."""
        if self.lacks_card():
            return self.cardless.roles
        if self.name.value != MODEL_FROM_FILE:
            return self.name
        try:
            return self.file if os.path.isdir(self.directory.get_absolute_path()) else self.directory
        except ValueError:  # an unknown kind of folder
            return self.directory

    def one_line(self) -> str:
        """Return the model's description, or why there is none."""
        try:
            return self.card().description
        except (ModelError, OSError) as error:
            return str(error)

    def report(self) -> List[str]:
        """Return what the button Describe model shows."""
        try:
            path, card = self.path(), self.card()
        except (ModelError, OSError) as error:
            return [str(error)]
        return describe(card.name if self.name.value == MODEL_FROM_FILE else self.name.value, path, card)

    def begin_run(self, further: Sequence[str], device: str, chooser: Optional[str] = None) -> ModelUsed:
        """Read the files of the model and the further models once, and of what chooses; return their names and sums.

        The files are the forms that run fastest on the device, ``automatic``, ``cpu`` or ``cuda``, or those that the
        file that chooses knows; the log says which.
        Without a window, this process runs the image sets too, and uses the very bytes that it has read here.
        """
        forms = self.forms(further)
        of_chooser = [] if chooser is None else [read_model_file(chooser_path(chooser))]
        known = known_sums(chooser_card_of(of_chooser[0])) if of_chooser else None
        paths = [chosen_form(each, device, known) for each in forms]
        for said in filter(None, map(said_of_form, forms, paths)):
            logging.info(said)
        files = [read_model_file(path) for path in paths]
        everything = [*files, *of_chooser]
        self.of_run = ModelsOfRun(sums_of(everything), everything if get_headless() else ())
        return used_together([self.card_of(file).name for file in files], [file.sha256 for file in everything], chooser)

    def forms(self, further: Sequence[str]) -> List[Sequence[Path]]:
        """Return the files that may stand for the model and for each further model."""
        own = (self.path(),) if self.name.value == MODEL_FROM_FILE else forms_of(self.name.value)
        return [own, *map(forms_of, further)]

    def card_of(self, file: ModelFile) -> ModelCard:
        """Return the card of a file that was read, or that of the user's answers."""
        metadata = metadata_of(file)
        return card_in(file.path, metadata) if METADATA_KEY in metadata else self.cardless.card(file.path)

    def open_for_run(
        self,
        began_with: str,
        further: Sequence[str],
        device: str,
        threads: int,
        gpu_memory_bytes: Optional[int],
        chooser: Optional[str] = None,
    ) -> Tuple[Any, ModelUsed]:
        """Open the models with which a run began, or return those that are open; log if a file has changed since.

        `began_with` are their sums, which also say in which form they run, whatever is fastest here; see `open` for the
        rest. Raises ModelError if the files are others, and this process did not read the earlier ones.
        """
        if self.of_run.sums != began_with:
            self.of_run = ModelsOfRun(began_with)
        held, where = self.of_run, (device, threads, gpu_memory_bytes)
        if where not in held.opened:
            if not held.files:
                of_chooser = [] if chooser is None else [read_model_file(chooser_path(chooser))]
                held.keep([*(form_of_run(forms, began_with) for forms in self.forms(further)), *of_chooser])
            files = held.files if chooser is None else held.files[:-1]
            memory = None if gpu_memory_bytes is None else gpu_memory_bytes // len(files)
            models = [open_model(file, device, threads, self.card_of(file), memory) for file in files]
            held.opened[where] = (*together(models, None if chooser is None else held.files[-1]), models)
        model, used, each = held.opened[where]
        warn_of_changes(each)
        return model, used

    def open(
        self,
        asked: str,
        further: Sequence[str],
        device: str,
        threads: int,
        gpu_memory_bytes: Optional[int],
        chooser: Optional[str] = None,
    ) -> Tuple[Any, ModelUsed]:
        """Open the model, or several together, as the files are now; see `cpunet.model.session.open_model`.

        Parameters
        ----------
        asked : str
            The device of the settings, for which the form of each model is chosen: ``automatic``, ``cpu`` or ``cuda``.
        further : sequence of str
            Names or paths of further models.
        device : str
            The device to open them on, which is another one where the memory of the GPU is too small.
        threads : int
            On the CPU; 0 uses all cores.
        gpu_memory_bytes : int or None
            The most that all models together may take.
        chooser : str, optional
            Name or path of the file that chooses among the models; by default they are averaged.
        """
        memory = None if gpu_memory_bytes is None else gpu_memory_bytes // (1 + len(further))
        answers = self.card() if self.lacks_card() else None  # a card in the file is read with the network
        file = None if chooser is None else read_model_file(chooser_path(chooser))
        known = None if file is None else known_sums(chooser_card_of(file))
        first, *others = [chosen_form(forms, asked, known) for forms in self.forms(further)]
        models = [load_model(first, device, threads, answers, memory)]
        models += [load_model(path, device, threads, None, memory) for path in others]
        return together(models, file)


def together(models: Sequence[OnnxModel], chooser: Optional[ModelFile] = None) -> Tuple[Any, ModelUsed]:
    """Return the only model, the mean of several, or the choice among them by a file, and their names and sums."""
    of_chooser = None if chooser is None else open_chooser(chooser)
    sums = [model.sha256 for model in models] + ([] if chooser is None else [chooser.sha256])
    used = used_together([model.card.name for model in models], sums, None if chooser is None else chooser.path.name)
    return combined_model(models, of_chooser), used


def used_together(names: Sequence[str], sums: Sequence[str], chooser: Optional[str]) -> ModelUsed:
    """Return what the measurements say of models that run together, and of what chooses among them."""
    return ModelUsed(" + ".join(names) + (CHOSEN if chooser is not None else ""), "+".join(sums))


def chooser_path(name: str) -> Path:
    """Return the path of the file that chooses, by its name or path; raise ModelError if there is none."""
    if not name:
        raise ModelError("No file that chooses is given. Enter the path of the file that `cpunet combine` wrote.")
    return find_model(name)


def known_sums(card: ChooserCard) -> List[str]:
    """Return the sums of the models that a file chooses among."""
    return [each.sha256 for each in card.models]


def model_choices() -> List[str]:
    """Return the names of the models that are found, the default first, and the choice of a file."""
    found = list_models()
    names = {*found, *(name for name, model in FLOAT32_NAMES.items() if model in found)}
    return [*sorted(names, key=lambda name: (name != DEFAULT_MODEL, name)), MODEL_FROM_FILE]


def choose_models_folder() -> None:
    """Let the user choose the folder of their models."""
    folder = ask_for_folder("Choose the folder of your models", preferred_models_folder() or os.path.expanduser("~"))
    if folder:
        prefer_models_folder(folder)


def card_of_further(name: str) -> ModelCard:
    """Return the card of a model to average with, by its name or path; raise ModelError if it has none."""
    path = find_model(name)
    return card_in_file(path) or read_card(path)  # the latter says what is wrong


def card_in_file(path: Path) -> Optional[ModelCard]:
    """Return the card of a model file, or None if it carries none; raise ModelError if it cannot be used.

    CellProfiler's window asks for the card whenever it draws the settings, so a file is read again only after it has
    changed.
    """
    try:
        status = path.stat()
    except OSError:
        return read_card(path)  # says what is wrong
    return _read_card_of(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _read_card_of(path: Path, mtime_ns: int, size: int) -> Optional[ModelCard]:
    return read_card(path) if has_card(path) else None
