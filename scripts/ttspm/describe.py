"""The configuration's schema as a page that people read: every key, its values and its default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]

PAGE = """\
# Configuration

Made from `schemas/config.schema.yaml`: `python scripts/describe_config.py > docs/configuration.md`.

`config.yaml` is the default run. Another one is put over it with `snakemake --configfile FILE`,
whose keys win over those of `config.yaml`. Unknown keys are refused, and everything is checked
before anything runs. *needed* stands where a key has no default. In `models.NAME` and its like,
NAME is a name of letters, digits, `.`, `_` and `-`, by which `grid` and the results call the thing.
"""

# What JSON Schema's words are called in the tables.
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def describe(schema: JSON) -> str:
    """The page.

    Parameters
    ----------
    schema : dict
        As `ttspm.config.load_schema` reads it.

    Returns
    -------
    str
        Markdown: a section for each object of the schema, a table row for each of its keys.
    """
    parts = [PAGE]
    for name, text, part in sections(schema):
        rows = list(_rows(name, part, schema))
        if rows:
            parts.append(f"## {name or 'Top level'}\n")
            parts.append(f"{_plain(text)}\n")
            parts.append("| key | value | default | meaning |\n|---|---|---|---|")
            parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def sections(schema: JSON) -> list[tuple[str, str, JSON]]:
    """Every object of the schema, as dotted name, description and the object's own schema."""
    return list(_sections("", schema, schema))


def _sections(name: str, part: JSON, root: JSON) -> Iterator[tuple[str, str, JSON]]:
    text = part.get("description", "")
    part = resolved(part, root)
    yield name, text or part.get("description", ""), part
    for option in part.get("oneOf", []):
        option = resolved(option, root)
        kind = option["properties"]["type"]["const"]
        yield f"{name}, type {kind}", option["properties"]["type"]["description"], option
    for key, inner in part.get("properties", {}).items():
        if resolved(inner, root).get("type") == "object":
            yield from _sections(f"{name}.{key}".removeprefix("."), inner, root)
    rest = part.get("additionalProperties")
    if isinstance(rest, dict):
        yield from _sections(f"{name}.NAME", rest, root)


def resolved(part: JSON, root: JSON) -> JSON:
    """A part of the schema with its reference followed; what stands beside the reference wins."""
    if "$ref" not in part:
        return part
    found: Any = root
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return {**found, **{key: value for key, value in part.items() if key != "$ref"}}


def _rows(name: str, part: JSON, root: JSON) -> Iterator[str]:
    needed = part.get("required", [])
    place = name.partition(",")[0]
    for key, inner in part.get("properties", {}).items():
        inner = resolved(inner, root)
        if inner.get("type") == "object" or (part.get("oneOf") and key == "type"):
            continue  # a section of its own
        if "default" in inner:
            default = _code(inner["default"])
        else:
            default = "*needed*" if key in needed else ""
        dotted = f"{place}.{key}".removeprefix(".")
        yield f"| `{dotted}` | {_value(inner)} | {default} | {_plain(inner['description'])} |"


def _value(part: JSON) -> str:
    """What a key may be, in words."""
    if "const" in part:
        return _code(part["const"])
    if "enum" in part:
        return ", ".join(_code(value) for value in part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    words = " or ".join(
        f"list of: {_value(part['items'])}" if kind == "array" else TYPES[kind] for kind in kinds
    )
    bounds = [word.format(part[bound]) for bound, word in BOUNDS.items() if bound in part]
    return ", ".join([words, *bounds])


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "`" + text.replace("\n", "\\n").replace("|", "\\|") + "`"


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|")
