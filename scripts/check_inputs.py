"""Write down which models and benchmarks the run has; generation waits for this file."""

from ttspm.action import Job, run_action
from ttspm.store import canonical_json


def main(job: Job) -> None:
    """Write name and digest of each model and benchmark."""
    models = dict(zip(job.params.models, job.input.models, strict=True))
    benchmarks = dict(zip(job.params.benchmarks, job.input.benchmarks, strict=True))
    summary = {
        "models": {name: job.store.digest_of(path) for name, path in models.items()},
        "benchmarks": {name: job.store.digest_of(path) for name, path in benchmarks.items()},
    }
    job.output.summary.write_text(canonical_json(summary) + "\n")


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)
