"""Write the networks of all folds as one verified ONNX file: side by side, with the mean of their probabilities."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cpunet.checks.agreement import Tolerance
from cpunet.checks.halo import measure_halo
from cpunet.checks.verify import Reference
from cpunet.errors import WeightsError
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.card.file import with_card_and_test
from cpunet.export.put_in_place import check_model_name, put_verified
from cpunet.export.readme import report_files
from cpunet.export.to_onnx import predict_with, trace
from cpunet.export.training_card import card_from_training
from cpunet.model.card import ModelCard
from cpunet.model.ensemble import average_cards
from cpunet.onnx_reader.metadata import sha256
from cpunet.training.data.fold import fold_of
from cpunet.training.folds.out_of_fold import OutOfFold, read_summary
from cpunet.training.folds.run import weights_of_folds
from cpunet.training.licence import weights_with_licence
from cpunet.training.network.unet import Probabilities
from cpunet.training.weights import TrainedNetwork, load_trained


class MeanOfNetworks(nn.Module):
    """Networks side by side, whose probabilities are averaged.

    Parameters
    ----------
    networks : sequence of Probabilities
        Of the same channels and roles.
    """

    def __init__(self, networks: Sequence[Probabilities]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        """Return the mean probabilities, 0..1, (N, roles, Y, X)."""
        first, *others = self.networks
        total: Tensor = first(image)
        for network in others:
            total = total + network(image)
        return total / len(self.networks)


def export_average(run_folder: Path, output: Path, rebuild: str = "") -> None:
    """Write one ONNX file of all folds, and a README beside it.

    Parameters
    ----------
    run_folder : Path
        Of a finished `cpunet.training.folds.run.train_folds`.
    output : Path
        Ends in ``.onnx``.
    rebuild : str
        The command that rebuilds the model.

    Raises
    ------
    CpunetError
        If the run has not finished, or the result fails a check. Nothing is written then.

    Notes
    -----
    The settings of the card are those that were tuned on the images that each network had not seen. So are the scores:
    they are those of one network, as no image is unseen by all.
    """
    check_model_name(output)
    found = read_summary(run_folder)
    paths = weights_of_folds(run_folder)
    if found is None or found.weights != tuple(sha256(path) for path in paths if path.is_file()):
        raise WeightsError(f"{run_folder}: the training of its folds is not done: give `cpunet train --folds` again.")
    trained = [load_trained(path) for path in paths]
    trained[0] = weights_with_licence(trained[0])
    networks = [
        Probabilities(each.network, each.config.targets.activation, each.config.loss.sharpening) for each in trained
    ]
    mean = MeanOfNetworks(networks).eval()
    folded = fold_batch_norm(mean)
    exact = copy.deepcopy(folded).double()
    config = trained[0].config
    halo = measure_halo(predict_with(exact), len(config.channels), config.architecture.divisible_by)
    card = average_card(found, trained, halo, rebuild)
    content = with_card_and_test(trace(folded, card.input), card, predict_with(exact))
    put_verified(output, content, Reference("torch", predict_with(mean)))
    print(f"onnxruntime and torch agree ({Tolerance()}); halo measured: {card.output.halo} pixels")
    report_files(card, output)


def average_card(found: OutOfFold, trained: Sequence[TrainedNetwork], halo: int, rebuild: str) -> ModelCard:
    """Make the card of the mean of all folds, with the settings and the scores of the images that were left out."""
    first = trained[0].config
    cards = [card_from_training(each, rebuild, halo) for each in trained]
    mean = average_cards(cards)
    what = f"The mean of {len(trained)} networks, each trained without another part of the images."
    return replace(
        mean,
        name=found.name,
        version=first.version,
        description=f"{first.description} {what}".strip(),
        licence=first.licence,
        citation=first.citation,
        output=replace(mean.output, halo=halo),
        postprocessing=found.settings,
        provenance={
            **cards[0].provenance,
            "data": [
                {**_of_all_folds(sets), "sha256": found.data_sums[sets[0]["name"]]}
                for sets in zip(*(card.provenance["data"] for card in cards), strict=True)
            ],
            "folds": [
                {
                    "name": each.config.name,
                    "sha256": total,
                    "seed": each.config.seed,
                    "images_left_out": len(fold.left_out) if (fold := fold_of(each.facts)) else 0,
                    "mean_f1": score,
                }
                for each, total, score in zip(trained, found.weights, found.by_fold, strict=True)
            ],
        },
        scores={f"{name}, out of fold": scores for name, scores in found.scores.items()},
    )


def _of_all_folds(sets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the trainings say of a data set, whose images are each in all of them but one."""
    counts = {name: sum(each[name] for each in sets) // (len(sets) - 1) for name in ("images", "objects")}
    return {**sets[0], **counts}
