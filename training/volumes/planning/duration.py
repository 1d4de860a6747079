"""How long a training on volumes will take on this machine, measured on a few steps."""

from __future__ import annotations

from pathlib import Path

import torch

from cpunet.cores import cores_allowed
from cpunet.options import Options
from cpunet.training.planning.duration import Duration, seconds_of, seconds_with_patches, validations_of
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.data.labeled_volumes import read_labeled_volume
from cpunet.training.volumes.evaluation.torch_model import TorchVolumeModel, card_for_volume_training
from cpunet.training.volumes.patches.sources import read_volume_sources, resolved, validation_volumes
from cpunet.training.volumes.patches.stream import VolumeStream
from cpunet.training.volumes.weights import build_volume_network
from cpunet.volumes.predict import predict_volume
from cpunet.volumes.prepare import prepare_volume


def measure_volume_duration(config: VolumeConfig, root: Path) -> Duration:
    """Take a few steps, prepare a few patches and look at a validation volume, and estimate the time of a whole run.

    Parameters
    ----------
    config : VolumeConfig
    root : Path
        The folder that holds the data sets.

    Notes
    -----
    As `cpunet.training.planning.duration.measure_duration`.
    """
    config = resolved(config, root)
    network = build_volume_network(config).to(memory_format=torch.channels_last_3d)
    stream = VolumeStream([source.patches for source in read_volume_sources(config, root)], config, 0, 2**30)
    items = iter(range(2**30))
    patches_s = config.batch_size * seconds_of(lambda: stream[next(items)])
    patches_s /= min(max(config.workers, 1), cores_allowed())
    sample = [row for rows in validation_volumes(config, root) for row in rows]
    model = TorchVolumeModel(network, config, card_for_volume_training(config))
    volume = prepare_volume(read_labeled_volume(sample[0])[0], model.card.input)
    options = Options(scale=1.0, z_step_px=sample[0].z_step_px)
    # A random network finds no objects, so that looking is most of it.
    volume_s = seconds_of(lambda: predict_volume(*volume[:2], model, options, 1.0))
    shape = config.patch_planes, config.patch_size, config.patch_size
    per_step = seconds_with_patches(network, config, shape, patches_s)
    return Duration(config.steps, validations_of(config), per_step, volume_s * len(sample))
