"""The configuration: checked against its schema, defaults filled in, mistakes told in one line."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from ttspm.cell import Cell
from ttspm.errors import UserError

JSON = dict[str, Any]

# JSON Schema takes 4.0 for an integer; range() and an engine do not.
Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def load_schema(path: str | Path) -> JSON:
    """Read the schema file."""
    return yaml.safe_load(Path(path).read_text())


def check_config(config: JSON, schema: JSON, files: Iterable[str | Path] = ()) -> JSON:
    """Check a configuration and return it with every default filled in.

    Parameters
    ----------
    config : dict
        As merged from the configuration files and the command line.
    schema : dict
        The schema of ``schemas/config.schema.yaml``.
    files : iterable of path-like
        The files it came from, as Snakemake lists them: those given on the command line, of which
        a later one wins, then the Snakefile's own, over which they all win.

    Raises
    ------
    UserError
        One line: file, key, what is wrong, what would be right.
    """
    origins = [Path(file) for file in files]
    errors = list(Validator(schema).iter_errors(config))
    if errors:
        path, message = _explain(min(errors, key=_importance), schema)
        raise UserError(f"{_origin(path, config, origins)}: {_dotted(path)}{message}")
    filled = _fill(config, schema, schema)
    _check_grid(filled, origins)
    return filled


def cells(config: JSON) -> list[Cell]:
    """Every cell of the grid, in a fixed order."""
    grid = config["grid"]
    return [
        Cell(model, benchmark, strategy)
        for model in grid["models"]
        for benchmark in grid["benchmarks"]
        for strategy in grid["strategies"]
    ]


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'budgets'?``, or the list of what is known."""
    names = sorted(map(str, known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; known are: {', '.join(names)}"


def _check_grid(config: JSON, files: list[Path]) -> None:
    grid = config["grid"]
    for key in ("models", "benchmarks"):
        for name in grid[key]:
            if name not in config[key]:
                raise UserError(
                    f"{_origin(['grid', key], config, files)}: grid.{key}: '{name}' is not"
                    f" described under '{key}'{nearest(name, config[key])}"
                )
    budgets = grid["budgets"]
    for before, after in itertools.pairwise(budgets):
        if after <= before:
            raise UserError(
                f"{_origin(['grid', 'budgets'], config, files)}: grid.budgets: {after} comes after"
                f" {before}; budgets must increase, for example [1, 4, 8, 16]"
            )


def _importance(error: ValidationError) -> tuple[int, int]:
    # An unknown key is the likeliest cause of whatever else is wrong beside it, and a value outside
    # a list explains itself better than "fits none of the alternatives".
    ranks = {"additionalProperties": 0, "enum": 1, "oneOf": 3}
    return (ranks.get(str(error.validator), 2), len(error.absolute_path))


def _explain(error: ValidationError, schema: JSON) -> tuple[list[Any], str]:
    """Where the mistake is and what to say of it."""
    path: list[Any] = list(error.absolute_path)
    violated: Any = error.schema  # the part of the schema that the value breaks
    value: Any = error.instance
    allowed: Any = error.validator_value
    if error.validator == "oneOf" and error.context:
        kinds = [_resolve(option, schema)["properties"]["type"]["const"] for option in allowed]
        inner = [
            child
            for child in error.context
            if child.schema_path and kinds[int(child.schema_path[0])] == value.get("type")
        ]
        if inner:
            return _explain(min(inner, key=_importance), schema)
    if error.validator == "additionalProperties":
        known = violated.get("properties", {})
        extra = next(key for key in value if key not in known)
        return [*path, extra], f": unknown key{_nearest_key(str(extra), known, schema)}"
    if error.validator == "required":
        missing = next(key for key in allowed if key not in value)
        return path, f": the key '{missing}' is missing"
    if error.validator == "enum":
        hint = violated.get("hints", {}).get(str(value))  # of ours, for a likely mistake
        hint = f"; {hint}" if hint else nearest(str(value), map(str, allowed))
        return path, f": '{value}' is not known{hint}"
    if error.validator == "pattern":
        described = violated.get("description", f"must match {allowed}")
        return path, f": '{value}' does not fit: {described}"
    return path, f": {error.message}"


def _origin(path: list[Any], config: JSON, files: list[Path]) -> str:
    """The configuration file that sets a key: of those that have it so, the one that wins."""
    for file in [*reversed(files[:-1]), *files[-1:]]:
        try:
            value = _at(path, yaml.safe_load(file.read_text()))
        except (OSError, yaml.YAMLError, KeyError, TypeError, IndexError):
            continue
        # A mapping is put together from all files; anything else comes from one.
        if isinstance(value, dict) or value == _at(path, config):
            return file.name
    return "command line" if files else "configuration"


def _at(path: list[Any], value: Any) -> Any:
    for part in path:
        value = value[part]
    return value


def _dotted(path: list[Any]) -> str:
    return ".".join(str(part) for part in path) or "top level"


def _nearest_key(word: str, known: Iterable[str], schema: JSON) -> str:
    """A hint from the keys of the same place, else from those of any fixed place."""
    if difflib.get_close_matches(word, known, n=1):
        return nearest(word, known)
    by_name = {key.rpartition(".")[2]: key for key in _all_keys(schema)}
    close = difflib.get_close_matches(word, by_name, n=1)
    return f"; did you mean '{by_name[close[0]]}'?" if close else nearest(word, known)


def _all_keys(schema: JSON, prefix: str = "") -> Iterator[str]:
    """Dotted names of the keys with a fixed place (not those under a model or a benchmark)."""
    for key, inner in schema.get("properties", {}).items():
        yield prefix + key
        yield from _all_keys(inner, f"{prefix}{key}.")


def _resolve(schema: JSON, root: JSON) -> JSON:
    if "$ref" not in schema:
        return schema
    found: Any = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def _fill(value: Any, schema: JSON, root: JSON) -> Any:
    """Defaults from the schema, at every depth."""
    schema = _resolve(schema, root)
    for option in schema.get("oneOf", []):
        option = _resolve(option, root)
        if isinstance(value, dict) and option["properties"]["type"]["const"] == value.get("type"):
            schema = option
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties")
    filled = {}
    for key, inner in _with_defaults(value, known, root):
        inner_schema = known.get(key, rest)
        filled[key] = _fill(inner, inner_schema, root) if isinstance(inner_schema, dict) else inner
    return filled


def _with_defaults(value: JSON, known: JSON, root: JSON) -> Iterator[tuple[str, Any]]:
    yield from value.items()
    for key, schema in known.items():
        schema = _resolve(schema, root)
        if key not in value and "default" in schema:
            yield key, schema["default"]
