"""The axes of a bioimage.io tensor: in which order they stand, and how they become (N, C, Y, X) or (N, C, Z, Y, X)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from bioimageio.spec.model.v0_5 import InputTensorDescr, OutputTensorDescr
from numpy.typing import NDArray

from cpunet.errors import ModelError

OF_IMAGES, OF_VOLUMES = ("batch", "channel", "y", "x"), ("batch", "channel", "z", "y", "x")


@dataclass(frozen=True)
class Layout:
    """How the axes of a tensor stand to (N, C, Y, X), or to (N, C, Z, Y, X) of volumes.

    Attributes
    ----------
    kinds : tuple of str
        What each axis of the tensor is, in its order: ``batch``, ``channel``, ``z`` unless its length is 1, ``y``,
        ``x``, or ``single`` for any other of length 1.
    names : tuple of str
        As the package calls them.
    channels : int
        1 if there is no axis of channels.
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    channels: int

    @property
    def kind_of(self) -> dict[str, str]:
        """What the axis of a name is."""
        return dict(zip(self.names, self.kinds, strict=True))

    @property
    def ours(self) -> tuple[str, ...]:
        """The axes that cpunet takes: those of volumes if the tensor has planes."""
        return OF_VOLUMES if "z" in self.kinds else OF_IMAGES

    @property
    def space(self) -> str:
        """The axes of space that cpunet takes, ``yx`` or ``zyx``."""
        return "".join(self.ours[2:])

    @property
    def missing(self) -> tuple[int, ...]:
        """Axes of `ours` that the tensor lacks."""
        return tuple(place for place, kind in enumerate(self.ours) if kind not in self.kinds)

    @property
    def single(self) -> tuple[int, ...]:
        """Axes of the tensor that `ours` lacks."""
        return tuple(place for place, kind in enumerate(self.kinds) if kind == "single")

    @property
    def order(self) -> tuple[int, ...]:
        """Where each axis of the tensor, `single` ones left out, stands in `ours`, missing ones left out."""
        present = [kind for kind in self.ours if kind in self.kinds]
        return tuple(present.index(kind) for kind in self.kinds if kind != "single")

    @property
    def is_ours(self) -> bool:
        """Whether the tensor is (N, C, Y, X) or (N, C, Z, Y, X) as it stands."""
        return self.kinds == self.ours


def read_layout(tensor: InputTensorDescr | OutputTensorDescr) -> tuple[Layout, dict[str, Any]]:
    """Read a tensor's axes.

    Returns
    -------
    layout : Layout
    axes : dict of str to axis
        The description of each axis by its kind; ``single`` ones are left out.

    Raises
    ------
    ModelError
        If the tensor is no image and no volume.
    """
    names = tuple(str(axis.id) for axis in tensor.axes)
    kinds = tuple(
        axis.type if axis.type in ("batch", "channel") else str(axis.id) if _is_space(axis) else "single"
        for axis in tensor.axes
    )
    longer = [
        name for name, kind, axis in zip(names, kinds, tensor.axes, strict=True) if kind == "single" and axis.size != 1
    ]
    if not {"y", "x"} <= set(kinds) or longer:
        found = ", ".join(names)
        raise ModelError(
            f"its {tensor.id} has the axes {found}; batch, channel, y, x are needed, and z of volumes, in any order, "
            "and others of the length 1 at most. Models of time series or tables cannot be used."
        )
    axes = {kind: axis for kind, axis in zip(kinds, tensor.axes, strict=True) if kind != "single"}
    channels = len(axes["channel"].channel_names) if "channel" in axes else 1
    return Layout(kinds, names, channels), axes


def _is_space(axis: Any) -> bool:
    return axis.type == "space" and (str(axis.id) in ("y", "x") or (str(axis.id) == "z" and axis.size != 1))


def as_ours(values: NDArray[np.float32], layout: Layout) -> NDArray[np.float32] | None:
    """Return a tensor as (N, C, Y, X) or (N, C, Z, Y, X).

    None if it has another number of axes than it should, or an axis is too long.
    """
    if values.ndim != len(layout.kinds) or any(values.shape[place] != 1 for place in layout.single):
        return None
    values = np.squeeze(values, layout.single)
    return np.expand_dims(np.transpose(values, np.argsort(layout.order)), layout.missing)
