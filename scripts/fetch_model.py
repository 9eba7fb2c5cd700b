"""Fetch one model and put its files into the store."""

from ttspm.action import Job, run_action
from ttspm.models import fetch_model


def main(job: Job) -> None:
    """Write the manifest of the model's files."""
    with job.store.workspace() as scratch:
        folder, download = scratch / "model", scratch / "download"
        folder.mkdir()
        download.mkdir()
        fetch_model(job.params.source, folder, download, job.input.chat_template or None)
        job.store.put_tree(folder, job.output.manifest)


if __name__ == "__main__":
    run_action(globals()["snakemake"], main)
