"""The stream of training patches with their objects: item i of a run is the same whenever it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cpunet.training.detection.exportable import three_channels
from cpunet.training.detection.objects import image_of, objects_of
from cpunet.training.patches.stream import PatchData, PatchStream

# Image (3, Y, X) and its objects, as `objects_of` returns them.
Item = tuple[Tensor, dict[str, Tensor]]


class ObjectStream(PatchStream):
    """The patches of a run with the boxes and masks of their objects."""

    def __getitem__(self, index: int) -> Item:
        """Return the image (3, Y, X), float32, and its objects."""
        patch = self.patch(index)
        return three_channels(image_of(patch)[None])[0], objects_of(patch.labels)


class ObjectData(PatchData):
    """Training patches with their objects, cut from images that are held in memory."""

    stream = ObjectStream

    @staticmethod
    def collate(items: Sequence[Item]) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        """Return the images and the objects of a batch, each as a list: the number of objects differs."""
        images, objects = zip(*items, strict=True)
        return list(images), list(objects)
