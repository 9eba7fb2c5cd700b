"""What can be told to be wrong before anything runs, beyond the configuration's own form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ttspm.errors import UserError
from ttspm.models import check_model_folder
from ttspm.store import Store


def check_before_running(config: dict[str, Any], store: Store) -> None:
    """Refuse a run that would fail later on: missing files, a model without tokenizer, a full disk.

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
        source = config["models"][name]["source"]
        if source["type"] == "folder":
            check_model_folder(Path(source["path"]), source["path"])
    for name in config["grid"]["benchmarks"]:
        source = config["benchmarks"][name]["source"]
        if source["type"] == "file" and not Path(source["path"]).is_file():
            raise UserError(f"benchmarks.{name}.source.path: there is no file {source['path']}")
    store.require_free_space(config["store"]["free_gib"])
