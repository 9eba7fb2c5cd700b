"""Print the page that describes the configuration.

python scripts/describe_config.py > docs/configuration.md
"""

from __future__ import annotations

from pathlib import Path

from ttspm.config import load_schema
from ttspm.describe import describe

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml"

if __name__ == "__main__":
    print(describe(load_schema(SCHEMA)), end="")
