"""An OpenAI-compatible endpoint as a model: its description, and where its key comes from.

The key is read from the environment when a request needs it, and goes nowhere else: neither into
an artifact, nor a message, nor a log.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ttspm.errors import UserError

FILE = "endpoint.json"


@dataclass(frozen=True)
class Endpoint:
    """What is asked.

    Attributes
    ----------
    base_url : str
        Address up to and without ``/chat/completions``.
    model : str
        The model's name there.
    """

    base_url: str
    model: str


def write_endpoint(source: dict[str, Any], folder: Path) -> None:
    """Write an endpoint's description, the whole of what is stored as the model."""
    described = {"base_url": source["base_url"].rstrip("/"), "model": source["model"]}
    (folder / FILE).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")


def read_endpoint(folder: Path) -> Endpoint:
    """Read what `write_endpoint` wrote."""
    return Endpoint(**json.loads((folder / FILE).read_text()))


def check_endpoint(name: str, source: dict[str, Any]) -> None:
    """Refuse a description with a secret in it, and one whose key is not to be had.

    Messages do not repeat the value: it may be the secret.

    Parameters
    ----------
    name : str
        The model's name in the configuration.
    source : dict
        Its source, of type ``endpoint``.

    Raises
    ------
    UserError
        Naming the key of the configuration and what belongs there.
    """
    where = f"models.{name}.source"
    try:
        parts = urlsplit(source["base_url"])
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.username is not None or parts.query or parts.fragment:
        raise UserError(
            f"{where}.base_url: must be an address such as https://api.openai.com/v1, without user,"
            " password, '?' or '#': a key belongs in the environment"
        )
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", source["key_variable"]):
        raise UserError(
            f"{where}.key_variable: must be the name of an environment variable in capitals, such"
            " as OPENAI_API_KEY, not the key itself"
        )
    read_key(name, source["key_variable"], source["base_url"])


def read_key(name: str, variable: str, base_url: str) -> str | None:
    """The key from the environment; None for an endpoint on this machine that needs none.

    Raises
    ------
    UserError
        If the variable is not set, or holds what no key can.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        if on_this_machine(base_url):
            return None
        raise UserError(
            f"models.{name}: the environment variable {variable} is not set: export {variable}=..."
            " with the endpoint's key (only an endpoint on localhost goes without)"
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise UserError(
            f"models.{name}: the environment variable {variable} holds blanks or characters that no"
            " key has: set it again"
        )
    return key


def on_this_machine(base_url: str) -> bool:
    """Whether an address is one of this machine's own."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
