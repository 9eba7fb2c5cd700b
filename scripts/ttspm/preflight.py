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
        source = config["benchmarks"][name]["source"]
        if source["type"] == "file" and not Path(source["path"]).is_file():
            raise UserError(f"benchmarks.{name}.source.path: there is no file {source['path']}")
    store.require_free_space(config["store"]["free_gib"])


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
