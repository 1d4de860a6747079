"""Open a file that chooses, and predict how well each candidate fits a true object."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np
import numpy.typing as npt

from cpunet.choice.card import ChooserCard, ListedModel, chooser_card_of, listed
from cpunet.choice.choose import Chosen, choose_candidates
from cpunet.choice.features import FoundByModel, feature_names, features_of_candidates
from cpunet.errors import ModelError
from cpunet.model.session import CPU, import_onnxruntime
from cpunet.onnx_reader.model_file import ModelFile, read_model_file
from cpunet.onnx_reader.trees import check_trees


@dataclass(frozen=True)
class Chooser:
    """Decision trees that predict the IoU of candidates, ready to run.

    Attributes
    ----------
    path : Path
    card : ChooserCard
    sha256 : str
        Of its file, hexadecimal.
    """

    path: Path
    card: ChooserCard
    sha256: str
    _session: Any = field(repr=False, compare=False)

    def predicted_iou(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Predict the IoU of each candidate with a true object, 0..1, (n,), from its features (n, F)."""
        if not len(features):
            return np.zeros(0, np.float32)
        predicted = np.asarray(self._session.run(None, {self._session.get_inputs()[0].name: features})[0])
        within: npt.NDArray[np.float32] = np.clip(predicted.reshape(-1), 0, 1).astype(np.float32)
        return within

    def choose(self, found: Sequence[FoundByModel]) -> Chosen:
        """Choose among the objects that the models found in one image, given in the order of the card."""
        predicted = self.predicted_iou(features_of_candidates(found))
        labels = [each.labels for each in found]
        return choose_candidates(labels, predicted, self.card.least_predicted_iou, self.card.most_shared)


# By SHA-256: a process opens one or two.
_open_choosers: Dict[str, Chooser] = {}


def load_chooser(path: Path) -> Chooser:
    """Read and open a file that chooses; see `open_chooser`."""
    return open_chooser(read_model_file(path))


def open_chooser(file: ModelFile) -> Chooser:
    """Check the bytes of a file that chooses, and open those very bytes, once in each process.

    Raises
    ------
    ModelError
        If it is no such file, asks for features that this version does not measure, or holds anything but sound trees.
    RuntimeMissingError
        If onnxruntime is not installed.
    """
    if file.sha256 in _open_choosers:
        return _open_choosers[file.sha256]
    card = chooser_card_of(file)
    check_features(file.path, card)
    check_trees(file, len(card.features))
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # some hundred candidates take a millisecond
    options.log_severity_level = 4  # failures reach the user once, as our exceptions
    # Read the bytes in the format that was checked: onnxruntime would take some for another format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = onnxruntime.InferenceSession(file.content, sess_options=options, providers=[CPU])
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        raise ModelError(
            f"{file.path}: onnxruntime {onnxruntime.__version__} cannot open this file of decision trees: {error}"
        ) from error
    _open_choosers[file.sha256] = Chooser(file.path, card, file.sha256, session)
    return _open_choosers[file.sha256]


def check_features(path: Path, card: ChooserCard) -> None:
    """Raise ModelError if a file that chooses asks for other features than are measured, naming the first."""
    known = feature_names(len(card.models))
    if card.features == known:
        return
    strange = [name for name in card.features if name not in known]
    missing = [name for name in known if name not in card.features]
    what = (
        f"it asks for the feature {strange[0]!r}, which this version does not measure"
        if strange
        else f"it does not know the feature {missing[0]!r}"
        if missing
        else "it has the features in another order"
    )
    raise ModelError(f"{path}: {what}. Learn it again with `cpunet combine` of this version.")


def in_order_of_card(path: Path, card: ChooserCard, sums: Sequence[str], names: Sequence[str]) -> Sequence[int]:
    """Return the places of the given models in the order of a file that chooses.

    Parameters
    ----------
    path : Path
        Of the file that chooses, for messages.
    card : ChooserCard
    sums, names : sequence of str
        SHA-256 of the given models' files, and their names for messages.

    Raises
    ------
    ModelError
        If a given model is none of those of the card, one of these is missing, or one is given twice.
    """
    wanted = [each.sha256 for each in card.models]
    way_out = "Give these models, or learn another file with `cpunet combine`."
    for name, sha256 in zip(names, sums):
        if sha256 not in wanted:
            raise ModelError(
                f"{path} does not know the model {name} (SHA-256 {sha256[:12] or 'none'}...): it chooses among "
                f"{listed(card.models)}. {way_out}"
            )
        if list(sums).count(sha256) > 1:
            raise ModelError(f"The model {name} is given twice. {path} chooses among {listed(card.models)}. {way_out}")
    missing: Sequence[ListedModel] = [each for each in card.models if each.sha256 not in sums]
    if missing:
        raise ModelError(
            f"{path} chooses among {listed(card.models)}; {listed(missing)} is missing. Name it among the further "
            "models."
        )
    return [list(sums).index(sha256) for sha256 in wanted]
