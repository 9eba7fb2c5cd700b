"""The page that describes the configuration, and what the schema must have for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ttspm.config import load_schema
from ttspm.describe import describe, resolved, sections

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = load_schema(ROOT / "schemas" / "config.schema.yaml")
SECTIONS = {name: (text, part) for name, text, part in sections(SCHEMA)}


def test_the_committed_page_is_up_to_date():
    made = subprocess.run(
        [sys.executable, "scripts/describe_config.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == made, "run: python scripts/describe_config.py > docs/configuration.md"


def test_every_object_of_the_schema_is_found():
    """Counted another way: every mapping in the file with `type: object`."""

    def objects(part: object) -> int:
        if isinstance(part, list):
            return sum(map(objects, part))
        if not isinstance(part, dict):
            return 0
        return (part.get("type") == "object") + sum(map(objects, part.values()))

    assert len(SECTIONS) == objects(SCHEMA)
    assert {"grid", "models.NAME.source, type wheel", "benchmarks.NAME.columns"} <= SECTIONS.keys()


@pytest.mark.parametrize("name", SECTIONS)
def test_every_object_refuses_unknown_keys(name):
    _, part = SECTIONS[name]
    if "oneOf" in part:  # then each of its forms does
        forms = [resolved(option, SCHEMA) for option in part["oneOf"]]
        assert all(form["additionalProperties"] is False for form in forms)
    else:
        rest = part["additionalProperties"]
        assert rest is False or isinstance(rest, dict)


@pytest.mark.parametrize("name", SECTIONS)
def test_everything_has_a_description_and_a_type(name):
    text, part = SECTIONS[name]
    assert text
    for key, inner in part.get("properties", {}).items():
        inner = resolved(inner, SCHEMA)
        assert inner.get("description"), key
        assert {"type", "const"} & inner.keys(), key


@pytest.mark.parametrize("name", SECTIONS)
def test_what_may_be_left_out_has_a_default_and_what_is_needed_has_none(name):
    _, part = SECTIONS[name]
    for key, inner in part.get("properties", {}).items():
        needed = key in part.get("required", [])
        assert ("default" in resolved(inner, SCHEMA)) != needed, key


SMALL = {
    "description": "All.",
    "properties": {
        "level": {
            "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.5,
            "description": "A | B, or <think>.",
        },
        "names": {
            "type": "array", "items": {"enum": ["a", "b"], "type": "string"},
            "description": "Names.",
        },
    },
    "required": ["names"],
}  # fmt: skip


def test_a_key_is_a_row_with_its_values_default_and_meaning():
    assert describe(SMALL).splitlines()[-4:] == [
        "| key | value | default | meaning |",
        "|---|---|---|---|",
        "| `level` | number, above 0, at most 1 | `0.5` | A \\| B, or &lt;think>. |",
        "| `names` | list of: `a`, `b` | *needed* | Names. |",
    ]


def test_every_key_is_on_the_page_once():
    page = (ROOT / "docs" / "configuration.md").read_text()
    for key in ("seed", "grid.budgets", "models.NAME.dtype", "models.NAME.source.member",
                "benchmarks.NAME.columns.distractors", "store.free_gib"):  # fmt: skip
        assert page.count(f"| `{key}` |") == 1
