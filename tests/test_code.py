"""The digest of a rule's code: it changes with what the script imports, and with nothing else."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from ttspm import code

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
PACKAGE = SCRIPTS / "ttspm"
RULE_SCRIPTS = sorted(
    path for path in SCRIPTS.glob("*.py") if 'globals()["snakemake"]' in path.read_text()
)


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """A copy of scripts/ that may be edited."""
    ignore = shutil.ignore_patterns("__pycache__")
    scripts = shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=ignore)
    monkeypatch.setattr(code, "PACKAGE", scripts / "ttspm")
    return scripts


def digests(scripts: Path) -> dict[str, str]:
    code.imported_modules.cache_clear()
    return {path.name: code.code_digest(scripts / path.name) for path in RULE_SCRIPTS}


def changed_by(scripts: Path, module: str) -> set[str]:
    """Scripts whose digest changes with a comment added to a module."""
    before = digests(scripts)
    with open(scripts / module, "a") as handle:
        handle.write("\n# a comment\n")
    after = digests(scripts)
    return {name for name in before if before[name] != after[name]}


def test_there_are_scripts_to_look_at():
    assert {"generate.py", "grade.py", "estimate_metrics.py"} <= {p.name for p in RULE_SCRIPTS}


def test_equal_files_elsewhere_give_the_same_digest(copy, monkeypatch):
    elsewhere = digests(copy)
    monkeypatch.setattr(code, "PACKAGE", PACKAGE)
    assert digests(SCRIPTS) == elsewhere
    assert len(set(elsewhere.values())) == len(RULE_SCRIPTS)


def test_an_edit_of_grading_concerns_grading_alone(copy):
    # Imported samples can be graded anew by their recorded gold, so they are concerned too; the
    # diagnosis grades in every other way.
    grading = {"grade.py", "import_records.py", "diagnose.py"}
    assert changed_by(copy, "ttspm/grading.py") == grading
    assert changed_by(copy, "ttspm/equality_worker.py") == grading


def test_an_edit_of_a_script_concerns_that_script_alone(copy):
    assert changed_by(copy, "gather_units.py") == {"gather_units.py"}


def test_an_edit_of_the_store_concerns_every_script(copy):
    assert changed_by(copy, "ttspm/store.py") == {path.name for path in RULE_SCRIPTS}


def test_an_edit_of_the_analysis_never_concerns_generation(copy):
    for module in ("metrics", "saturation", "fit", "estimators", "figures/style", "table1"):
        changed = changed_by(copy, f"ttspm/{module}.py")
        assert changed
        assert not changed & {"generate.py", "fetch_model.py", "prepare_benchmark.py"}


def test_an_import_inside_a_function_counts(copy):
    with open(copy / "gather_units.py", "a") as handle:
        handle.write("\n\ndef later():\n    from ttspm.table1 import table1\n")
    assert changed_by(copy, "ttspm/table1.py") >= {"gather_units.py"}


def test_the_package_above_a_module_counts(copy):
    assert "draw_figure.py" in changed_by(copy, "ttspm/figures/__init__.py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_import_is_one_that_the_digest_sees(path):
    """Relative imports are not followed, so there must be none."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
