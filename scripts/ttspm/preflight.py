"""What can be told to be wrong before anything runs, beyond the configuration's own form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ttspm.endpoint import check_endpoint
from ttspm.errors import UserError
from ttspm.models import check_model_folder
from ttspm.store import Store


def check_before_running(config: dict[str, Any], store: Store) -> None:
    """Refuse a run that would fail later: missing files, an engine without its model, a full disk.

    Parameters
    ----------
    config : dict
        Checked and filled.
    store : Store
        Of the results folder.

    Raises
    ------
    UserError
        One line on the first thing found.
    """
    for name in config["grid"]["models"]:
        _check_model(name, config["models"][name])
    for name in config["grid"]["benchmarks"]:
        _check_benchmark(name, config["benchmarks"][name], config["seed"], store)
    store.require_free_space(config["store"]["free_gib"])


def _check_benchmark(name: str, description: dict[str, Any], seed: int, store: Store) -> None:
    """Read a local file through to its last row, unless that has been done before."""
    source = description["source"]
    if source["type"] != "file":
        return
    path = Path(source["path"])
    if not path.is_file():
        raise UserError(f"benchmarks.{name}.source.path: there is no file {path}")
    if not (store.root / "benchmarks" / f"{name}.parquet").exists():
        # Loaded here, as they bring pandas, which most starts have no need of.
        from ttspm.benchmarks.prepare import prepare_benchmark
        from ttspm.benchmarks.sources import file_rows

        prepare_benchmark(file_rows(path, source["sha256"]), name, description, seed)


def _check_model(name: str, model: dict[str, Any]) -> None:
    source, engine, template = model["source"], model["engine"], model["chat_template"]
    if (source["type"] == "endpoint") != (engine == "openai"):
        right = "openai" if source["type"] == "endpoint" else "vllm or transformers"
        raise UserError(
            f"models.{name}.engine: '{engine}' does not work with a source of type"
            f" '{source['type']}': take {right}, or another source"
        )
    if source["type"] == "endpoint":
        check_endpoint(name, source)
        if template is not None:
            raise UserError(
                f"models.{name}.chat_template: an endpoint applies its own; leave it out"
            )
    if source["type"] == "folder":
        check_model_folder(Path(source["path"]), source["path"])
    if template is not None and not Path(template).is_file():
        raise UserError(f"models.{name}.chat_template: there is no file {template}")
