"""Images like phase contrast, and matching stain images with known faults and shifts, drawn from label images."""
