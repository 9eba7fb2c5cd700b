"""Draw Fig. 1, the two strategies, into the docs.

python scripts/draw_diagram.py docs/figure1.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ttspm.figures.diagram import draw, save_svg


def main(arguments: list[str] | None = None) -> None:
    """Write the drawing as SVG."""
    parser = argparse.ArgumentParser(description="Draw Fig. 1, the two strategies, as SVG.")
    parser.add_argument("path", type=Path, help="file to write, docs/figure1.svg")
    save_svg(draw(), parser.parse_args(arguments).path)


if __name__ == "__main__":
    main()
