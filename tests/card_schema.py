"""The schema of the model card by its parts, and the cards of shipped models as they are written."""

import json

from cpunet.export.card.schema import card_schema
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import read_metadata

SCHEMA = card_schema()


def part(place):
    """Return the schema of a section, by its dotted name."""
    found = SCHEMA
    for name in filter(None, place.split(".")):
        found = found["properties"][name]
    return found


def shipped_card(path):
    return json.loads(read_metadata(path)[METADATA_KEY])
