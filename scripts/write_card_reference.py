"""Write the JSON Schema of the model card, and the table of its fields in docs/model-card.md, from the code.

    .venv/training/bin/python scripts/write_card_reference.py

Run it in the training environment whenever a field of the card changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cpunet.export.card.schema import card_schema
from cpunet.files.written_beside import written_beside

REPOSITORY = Path(__file__).resolve().parents[1]
SCHEMA = REPOSITORY / "docs" / "model_card.schema.json"
PAGE = REPOSITORY / "docs" / "model-card.md"
START, END = "<!-- from here on written by scripts/write_card_reference.py -->\n", "<!-- until here -->\n"
HEAD = "| field | type and range | default | is |\n|---|---|---|---|\n"
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "texts",
}
LIMITS = {
    "minimum": "{:g} or more",
    "exclusiveMinimum": "above {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "below {:g}",
    "minItems": "{} or more",
    "maxItems": "at most {}",
}


def schema_text() -> str:
    """Return the JSON Schema as its file holds it."""
    return json.dumps(card_schema(), indent=2) + "\n"


def field_table() -> str:
    """Return a Markdown table of all fields."""
    return HEAD + "".join(_rows(card_schema(), ""))


def _rows(section: dict[str, Any], place: str) -> list[str]:
    rows = []
    for name, schema in section["properties"].items():
        if "required" in schema:  # a section of the card
            rows += _rows(schema, f"{place}{name}.")
            continue
        default = f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
        rows.append(f"| `{place}{name}` | {kind_of(schema)} | {default} | {described(schema)} |\n")
    return rows


def kind_of(schema: dict[str, Any]) -> str:
    """Say of which type a field is, and in which range."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == ["number", "null"]:
        words = "number or `null`"
    elif schema["type"] == ["array", "null"]:
        return "two whole numbers or `null`"
    else:
        words = "roles" if "contains" in schema else WORDS[schema["type"]]
    return ", ".join([words, *(text.format(schema[key]) for key, text in LIMITS.items() if key in schema)])


def described(schema: dict[str, Any]) -> str:
    """Say what a field is; for an object, what it holds, too."""
    parts = schema.get("properties") or schema.get("additionalProperties", {}).get("properties", {})
    named = []
    for name, part in parts.items():
        inside = part.get("properties") or part.get("items", {}).get("properties", {})
        holds = f" ({', '.join(f'`{each}`' for each in inside)})" if inside else ""
        named.append(f"`{name}`{holds}")
    return schema["description"] + (f" Holds {', '.join(named)}." if named else "")


def page() -> str:
    """Return docs/model-card.md with the table of fields written anew."""
    before, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{PAGE} lacks the lines between which the table stands: {START.strip()} {END.strip()}")
    return before + START + field_table() + END + after


def main() -> int:
    """Write both."""
    for path, text in ((SCHEMA, schema_text()), (PAGE, page())):
        with written_beside(path) as beside:
            beside.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
