"""Write tiny ONNX models of volumes, rank 5, byte by byte."""

from tests.tiny_onnx import changed_card

VOLUME_CARD = changed_card(
    name="tiny_3d",
    description="A sigmoid of the normalized intensity of volumes.",
    input={"dimensions": 3, "z_step_px": 2.0, "divisible_by_planes": 2, "min_planes": 2},
    output={"halo_planes": 3},
)


def changed_volume_card(**sections):
    """Return the card of volumes with sections, or fields of sections, replaced."""
    return changed_card(VOLUME_CARD, **sections)
