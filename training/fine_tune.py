"""Fine-tuning: start from the weights of another model, and freeze some of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import torch

from cpunet.errors import ConfigError
from cpunet.model.find import list_models
from cpunet.training.config import TrainingConfig
from cpunet.training.network.build import build_network
from cpunet.training.network.unet import UNet
from cpunet.training.network.widen import WIDTH_FIELDS, widened
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, load_trained

HEAD = "head."


@dataclass(frozen=True)
class Transfer:
    """Which weights a network got from another.

    Attributes
    ----------
    transferred : int
        Tensors with the other network's values.
    new_roles : tuple of str
        Output channels that start with random weights.
    new_input : bool
        Whether the first convolution starts with random weights: the number of image channels differs, and the other
        network has more than one.
    """

    transferred: int
    new_roles: tuple[str, ...]
    new_input: bool

    def __str__(self) -> str:
        """One line for the terminal."""
        new = [*self.new_roles, *(["the first convolution"] if self.new_input else [])]
        return f"{self.transferred} tensors transferred" + (f"; starting at random: {', '.join(new)}" if new else "")


def find_weights(name_or_path: str, field: str = "start_from") -> Path:
    """Return the weights file of a model's name, folder or ONNX file, or the file itself.

    ConfigError if there is none; it names the configuration's `field` that asked for it.
    """
    models = list_models()
    path = Path(name_or_path).expanduser()
    candidates = [path.with_name(WEIGHTS_FILE) if path.suffix == ".onnx" else path, path / WEIGHTS_FILE]
    if name_or_path in models:
        candidates.append(models[name_or_path].parent / WEIGHTS_FILE)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"{field}: there are no weights at {name_or_path!r}. Give the folder or the name of a model with "
        f"{WEIGHTS_FILE} (found: {', '.join(models) or 'none'}), or a .safetensors or .ckpt file of a run."
    )


def load_start(config: TrainingConfig, field: str = "start_from") -> TrainedNetwork:
    """Load the network that a field of the configuration names, widened if the configuration has more features a level.

    ConfigError if its architecture differs in anything else.
    """
    path = find_weights(getattr(config, field), field)
    start = load_trained(path)
    wanted, found = config.architecture, start.config.architecture
    different = [f.name for f in fields(found) if getattr(wanted, f.name) != getattr(found, f.name)]
    if different and all(name in WIDTH_FIELDS and getattr(wanted, name) > getattr(found, name) for name in different):
        return widened(start, wanted)
    if different:
        there = ", ".join(f"{name}: {getattr(found, name)}" for name in different)
        raise ConfigError(
            f"{field}: {path} has another architecture. Write architecture: {{{there}}} into the configuration."
        )
    return start


def transfer_weights(network: UNet, config: TrainingConfig, start: TrainedNetwork) -> Transfer:
    """Copy into `network` all weights of `start` that mean the same in both.

    Parameters
    ----------
    network : UNet
        Changed in place.
    config : TrainingConfig
        Of `network`.
    start : TrainedNetwork
        Of the same architecture.

    Notes
    -----
    1. Output channels are copied role by role, if both networks have the same activation.
    2. Other tensors are copied if name and shape agree.
    3. The first convolution of a network for gray images is spread over all channels, each with an equal part, and that
       of a network for several channels is summed for gray images. On a gray image in all channels the output then
       stays the same.

    Yosinski et al. 2014, doi:10.48550/arXiv.1411.1792.
    """
    own, other = network.state_dict(), start.network.state_dict()
    same_activation = config.targets.activation == start.config.targets.activation
    shared = [role for role in config.targets.roles if role in start.config.targets.roles and same_activation]
    rows = [config.targets.roles.index(role) for role in shared]
    source_rows = [start.config.targets.roles.index(role) for role in shared]
    per_role = len(config.targets.roles)
    transferred, new_input = 0, False
    channels, start_channels = network.in_channels, start.network.in_channels
    for name, value in other.items():
        if name.startswith(HEAD) and own[name].ndim and own[name].shape[0] % per_role == 0:
            # With the stem `half` the head has four rows for each role, one role after the other.
            here = own[name].unflatten(0, (per_role, -1))
            there = value.unflatten(0, (len(start.config.targets.roles), -1))
            if here.shape[1:] == there.shape[1:]:
                here[rows] = there[source_rows]
                transferred += bool(rows)
                continue
        if own[name].shape == value.shape:
            own[name].copy_(value)
            transferred += 1
        elif start_channels == 1:
            own[name].copy_(value.repeat(1, channels, 1, 1) / channels)
            transferred += 1
        elif channels == 1:
            own[name].copy_(value.unflatten(1, (start_channels, -1)).sum(dim=1))
            transferred += 1
        else:
            new_input = True
    new_roles = tuple(role for role in config.targets.roles if role not in shared)
    return Transfer(transferred, new_roles, new_input)


def averaged_with_start(network: UNet, config: TrainingConfig) -> UNet:
    """Return the network with a part, `config.start_share`, of the weights that `network_to_average` returns.

    Notes
    -----
    Weights between those before and after fine-tuning keep more of what the model could do before: Wortsman et al.
    2022, doi:10.48550/arXiv.2109.01903. Batch normalization's statistics are averaged too.
    """
    before, share = network_to_average(config).state_dict(), config.start_share
    averaged = build_network(config)
    averaged.load_state_dict(
        {
            name: before[name] * share + value * (1 - share) if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        }
    )
    return averaged.eval()


def network_to_average(config: TrainingConfig) -> UNet:
    """Return the network that has the part `config.start_share`: that of `average_with`, or the one to start from.

    ConfigError if some of the weights would be random, and have no part to keep.
    """
    name = "average_with" if config.average_with else "start_from"
    network = build_network(config)
    transfer = transfer_weights(network, config, load_start(config, name))
    if transfer.new_input or transfer.new_roles:
        raise ConfigError(
            f"start_share: {getattr(config, name)} has other output channels or image channels, so that some weights "
            "have no part to keep. Leave start_share out."
        )
    return network


def freeze_encoder(network: UNet) -> None:
    """Stop the encoder's weights from being trained; see `keep_statistics` for its batch normalization."""
    network.encoder.requires_grad_(False)


def keep_statistics(network: UNet) -> None:
    """Put a frozen encoder into evaluation mode, so that its batch normalization does not change either."""
    network.encoder.eval()


def trainable_parameters(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the parameters that are not frozen."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
