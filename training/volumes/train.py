"""Train a network of volumes: a run that can be stopped and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lightning

from cpunet.errors import ConfigError
from cpunet.interruption import held_back
from cpunet.training.callbacks import WaitingTime
from cpunet.training.facts import current_commit, set_diameters
from cpunet.training.train import (
    BEST,
    LAST,
    build_trainer,
    check_free,
    check_same_run,
    early_stopping,
    finished_already,
    other_images,
)
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.evaluation.scores import ValidationVolumes
from cpunet.training.volumes.facts import volume_facts
from cpunet.training.volumes.patches.sources import read_volume_sources, resolved, validation_volumes
from cpunet.training.volumes.patches.stream import VolumeData
from cpunet.training.volumes.task import VolumeTask
from cpunet.training.volumes.weights import TrainedVolumeNetwork, load_trained_volumes, save_trained_volumes
from cpunet.training.weights import WEIGHTS_FILE


def train_volumes(config: VolumeConfig, root: Path, run_folder: Path) -> Path:
    """Train a network of volumes, or continue a training that was stopped.

    Parameters
    ----------
    config : VolumeConfig
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets checkpoints, logs/version_N/metrics.csv, tensorboard/, curves.png and weights.safetensors. If it holds
        last.ckpt, the run continues from there; if it holds weights.safetensors too, the run is finished.

    Returns
    -------
    Path
        weights.safetensors, with the configuration and the facts of the data inside.

    Raises
    ------
    ConfigError
        If the folder holds a run of another configuration or of other volumes.
    DataError
        If a data set cannot be used.
    """
    last, weights = run_folder / LAST, run_folder / WEIGHTS_FILE
    begun = load_trained_volumes(last) if last.exists() else None
    config = resolved(config, root)
    if begun is not None:
        check_same_run(config, begun.config, last)
    else:
        check_free(run_folder)
    lightning.seed_everything(config.seed, workers=True)
    sources = read_volume_sources(config, root)
    facts = volume_facts(config, sources)
    if begun is not None and begun.facts.get("data") != facts["data"]:
        raise ConfigError(other_images(last, root))
    if weights.exists():
        finished = load_trained_volumes(weights)
        save_trained_volumes(weights, replace(finished, config=config))  # its description may have changed
        print(finished_already(weights))
        return weights
    facts["commit"] = (begun.facts.get("commit") if begun else None) or current_commit(Path(__file__).parent)
    run_folder.mkdir(parents=True, exist_ok=True)
    waiting = WaitingTime()
    scores = ValidationVolumes(config, validation_volumes(config, root), set_diameters(config, facts))
    trainer = build_trainer(config, run_folder, [scores, *early_stopping(config), waiting])
    task = VolumeTask(config, facts)
    with held_back():
        trainer.fit(
            task,
            VolumeData(config, [source.patches for source in sources]),
            ckpt_path=last if begun else None,
            weights_only=True,
        )
    network = task.network.cpu().eval()
    if config.early_stopping_patience:
        network = load_trained_volumes(run_folder / BEST).network
    save_trained_volumes(weights, TrainedVolumeNetwork(network, config, {**facts, "steps": trainer.global_step}))
    print(waiting.said(config.workers))
    return weights
