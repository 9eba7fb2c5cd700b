"""Tokens a second of the pipeline beside those of the bare engine, and of chains beside lock step.

    python scripts/benchmark_throughput.py --problems 16 --units 24

runs with the default model, in turn and several times over:

* ``bare``: the requests through vLLM's own ``LLM.generate``, all at once;
* ``rule``: the same requests through the script of the rule ``generate``: plan, engine, journal,
  artifact, action record;
* ``lock step``: chains, each round of them all through ``LLM.generate``, which waits for the last;
* ``chains``: the same chains through the rule, where each goes on by itself.

Each is a process of its own, with the same settings of the engine. Loading the model is counted in
none; all else that the rule does is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

import generate
from ttspm.action import run_action
from ttspm.benchmarks.arithmetic import LEVELS, arithmetic_rows
from ttspm.benchmarks.prepare import prepare_benchmark
from ttspm.config import check_config, load_schema
from ttspm.engines import Settings
from ttspm.generation import Plan, describe_cell, settings_of
from ttspm.models import fetch_model
from ttspm.store import Store
from ttspm.tables import BENCHMARK, write_parquet

BASE = Path(__file__).resolve().parents[1]
MODEL, PROBLEMS = "smollm2-135m", "arithmetic"
KINDS = {"bare": "parallel", "rule": "parallel", "lock step": "sequential", "chains": "sequential"}


def main() -> None:
    """Measure each kind in turn and print medians and ratios."""
    arguments = _arguments()
    if arguments.kind:
        print(json.dumps(_measure(arguments)))
        return
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        _prepare(base / "results", arguments.problems)
        for _ in range(arguments.repeats):
            for kind in KINDS:
                made = _in_a_process(base, kind, arguments)
                rates[kind].append(made["tokens"] / made["seconds"])
                print(
                    f"{kind:>9}: {made['tokens']} tokens in {made['seconds']:.1f} s,"
                    f" {rates[kind][-1]:.1f} tokens/s",
                    flush=True,
                )
    print(f"\n{_machine()}; median of {arguments.repeats}")
    for kind, values in rates.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{kind:>9}: {statistics.median(values):7.1f} tokens/s ({spread})")
    for ours, other in (("rule", "bare"), ("chains", "lock step")):
        in_turn = [a / b for a, b in zip(rates[ours], rates[other], strict=True)]
        each = ", ".join(f"{ratio:.3f}" for ratio in in_turn)
        print(f"{ours} / {other}: {statistics.median(in_turn):.3f} (in turn: {each})")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=int, default=16)
    parser.add_argument("--units", type=int, default=24, help="samples, or rounds, of each problem")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kind", choices=KINDS, help="measure this one only, in --folder")
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


def _config() -> dict[str, Any]:
    config = yaml.safe_load((BASE / "config.yaml").read_text())
    return check_config(config, load_schema(BASE / "schemas/config.schema.yaml"))


def _prepare(results: Path, problems: int) -> None:
    """Model and problems in a store, as the rules ``model`` and ``benchmark`` put them there."""
    config, store = _config(), Store(results)
    description = config["benchmarks"][PROBLEMS]
    rows = arithmetic_rows(-(-problems // len(LEVELS)), seed=1)
    with store.workspace() as scratch:
        for name in ("model", "download"):
            (scratch / name).mkdir()
        fetch_model(config["models"][MODEL]["source"], scratch / "model", scratch / "download")
        store.put_tree(scratch / "model", scratch / "manifest")
        store.link(results / "models" / f"{MODEL}.json", store.put(scratch / "manifest"))
        table = prepare_benchmark(rows, PROBLEMS, description, config["seed"])[:problems]
        write_parquet(table, scratch / "problems", BENCHMARK)
        store.link(results / "benchmarks" / f"{PROBLEMS}.parquet", store.put(scratch / "problems"))


def _in_a_process(base: Path, kind: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One measurement, on a copy of the store in which no unit is known."""
    folder = base.with_name("run")
    shutil.copytree(base, folder, symlinks=True, copy_function=os.link)
    command = [sys.executable, __file__, "--kind", kind, "--folder", str(folder)]
    for name in ("problems", "units", "max_tokens"):
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{kind}: failed\n{done.stderr[-4000:]}")
    shutil.rmtree(folder)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    import pyarrow.parquet as pq

    config = _config()
    config["generation"]["max_tokens"] = arguments.max_tokens
    results = arguments.folder / "results"
    inputs = {
        "model": results / "models" / f"{MODEL}.json",
        "problems": results / "benchmarks" / f"{PROBLEMS}.parquet",
    }
    params = {
        "model": config["models"][MODEL],
        "prompt": config["benchmarks"][PROBLEMS]["prompt"],
        "generation": config["generation"],
        "budget": arguments.units,
        "seed": config["seed"],
    }
    strategy = KINDS[arguments.kind]
    names = {"model": MODEL, "benchmark": PROBLEMS, "strategy": strategy}
    generation = config["generation"]
    settings = settings_of(MODEL, params["model"], generation, generation["threads"])
    if arguments.kind in ("rule", "chains"):
        return _by_rule(results, inputs, params, names, settings)
    store = Store(results)
    plan = Plan(
        pq.read_table(inputs["problems"]).to_pylist(),
        params["prompt"],
        describe_cell(names, store.digest_of(inputs["model"]), params),
        arguments.units,
        thinking=False,
        known={},
        keep=lambda _: None,
    )
    return _by_engine(store.tree_directory(inputs["model"]), settings, plan)


def _by_rule(
    results: Path,
    inputs: dict[str, Path],
    params: dict[str, Any],
    names: dict[str, str],
    settings: Settings,
) -> dict[str, Any]:
    from ttspm.engines.vllm import set_environment

    set_environment(settings)
    import vllm  # noqa: F401 - importing it is loading

    snakemake = SimpleNamespace(
        rule="generate",
        input={name: str(path) for name, path in inputs.items()},
        output={"units": str(results / "shards/1-of-1.parquet")},
        params=params,
        wildcards={**names, "shard": "1", "shards": "1"},
        threads=settings.threads,
        resources={},
        log=[str(results / "log")],
    )
    started = time.monotonic()
    run_action(snakemake, generate.main)
    seconds = time.monotonic() - started
    (record,) = Store(results).records_of("generate")
    facts = record["facts"]
    return {"tokens": facts["tokens"], "seconds": seconds - facts["load_seconds"]}


def _by_engine(model: Path, settings: Settings, plan: Plan) -> dict[str, Any]:
    from ttspm.engines.chat import prompt_tokens
    from ttspm.engines.vllm import (
        compile_nothing,
        completion_of,
        engine_arguments,
        sampling_parameters,
        set_environment,
    )

    set_environment(settings)
    import vllm
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        compile_nothing()
    engine = vllm.LLM(**engine_arguments(model, settings, current_platform.is_cpu()))
    tokenizer = engine.get_tokenizer()
    started, tokens = time.monotonic(), 0
    while requests := plan.requests():  # samples all at once; of chains, one round after another
        outputs = engine.generate(
            [
                {"prompt_token_ids": prompt_tokens(tokenizer, request, settings, settings.context)}
                for request in requests
            ],
            [sampling_parameters(request, settings) for request in requests],
            use_tqdm=False,
        )
        for request, output in zip(requests, outputs, strict=True):
            completion = completion_of(output)
            tokens += completion.completion_tokens
            plan.finished(request, completion)
    return {"tokens": tokens, "seconds": time.monotonic() - started}


def _machine() -> str:
    """The processor, or the GPU, on which the engine ran."""
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        pass
    cores = len(os.sched_getaffinity(0))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor()
    return f"{name}, {cores} cores"


if __name__ == "__main__":
    main()
