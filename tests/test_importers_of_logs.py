"""Samples of lighteval and inspect, on small files of the shape that these write."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recorded_samples import DATA, of, only

from ttspm.errors import UserError
from ttspm.metrics import cell_values
from ttspm.records.groups import GroupName, load_groups
from ttspm.records.importers import format_of
from ttspm.records.samples import Choice

INSPECT = DATA / "inspect" / "sums.json"


# ---- lighteval -----------------------------------------------------------------------------------


def details(folder: Path, problems, metric: str, date: str = "2025-11-05T14-43-47.148527") -> Path:
    """A details file; of each problem the texts and the metric's value."""
    rows = [
        {
            "doc": {
                "query": "What is it?",
                "choices": ["7"],
                "gold_index": [0],
                "id": str(number),
                "task_name": "sums|0",
                "specific": {"extracted_predictions": texts[-1:], "extracted_golds": ["7"]},
                "num_samples": len(texts),
            },
            "metric": {metric: value},
            "model_response": {
                "input": "What is it?",
                "text": texts,
                "output_tokens": [[5] * (number + 3) for _ in texts],
                "truncated_tokens_count": 0,
            },
        }
        for number, (texts, value) in enumerate(problems)
    ]
    path = folder / "details" / "org" / "small" / date / f"details_sums|0_{date}.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_lighteval_single_samples_of_several_runs(tmp_path):
    first = details(tmp_path, [(["7"], 1.0), (["8"], 0.0)], "extractive_match")
    second = details(
        tmp_path, [(["8"], 0.0), (["7"], 1.0)], "extractive_match", "2025-11-06T00-00-00"
    )
    group = only(first, second)
    assert group.name == GroupName("org/small", "sums|0", "parallel")
    assert of(group, "0", "answer") == ["7", "8"]
    assert of(group, "1", "correct") == [False, True]
    assert of(group, "1", "completion_tokens") == [4, 4]
    assert not group.counts_only
    assert only(first, second, equality="math-verify").warnings == ()


@pytest.mark.parametrize(
    "metric", ["avg@n:n=4", "pass@k:k=1&n=4", "math_pass@1:4_samples", "gpqa_pass@k:k=1"]
)
def test_lighteval_means_are_counts(tmp_path, metric):
    path = details(tmp_path, [(["a", "b", "c", "d"], 0.75), (["a", "b", "c", "d"], 0.0)], metric)
    group = only(path)
    assert group.counts_only
    assert group.records.groupby("problem_id")["correct"].agg(
        ["size", "sum"]
    ).to_numpy().tolist() == [
        [4, 3],
        [4, 0],
    ]
    cell = cell_values(group.records, "parallel", [2], counts_only=True)
    assert cell.values["hit", "exact", 2].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("maj@n:n=4", 1.0, "row 1: 4 samples and one value of 'maj@n:n=4', which is not a mean"),
        ("pass@k:k=4&n=4", 1.0, "row 1: 4 samples and one value of 'pass@k:k=4&n=4', which"),
        ("avg@n:n=4", 0.3, "row 1: 'avg@n:n=4' is 0.3, not a mean of 4 grades"),
        ("avg@n:n=4", 1.25, "row 1: 'avg@n:n=4' is 1.25, not a mean of 4 grades"),
    ],
)
def test_lighteval_refuses_what_is_not_a_mean(tmp_path, metric, value, message):
    with pytest.raises(UserError, match=message):
        load_groups([details(tmp_path, [(["a", "b", "c", "d"], value)], metric)])


# ---- inspect -------------------------------------------------------------------------------------


def test_inspect_epochs_are_units():
    group = only(INSPECT)
    assert group.name == GroupName("vllm/org/small", "sums", "parallel")
    assert of(group, "a", "answer") == ["7", "8", "7"]
    assert of(group, "a", "correct") == [True, False, True]
    assert of(group, "a", "completion_tokens") == [10, 20, 30]  # the model's, not the judge's
    assert of(group, "b", "answer") == [None, "12"]
    assert of(group, "b", "truncated") == [True, False]
    assert len(group.warnings) == 2  # a sample that failed is left out, not wrong
    assert "1 of 6 samples are not graded and left out, the first:" in group.warnings[0]
    assert "differ, 2 (problem 'b') to 3" in group.warnings[1]


def zipped(folder: Path, log: dict, method: str = "deflate", header: str = "header.json") -> Path:
    """An .eval file of a log; one with zstd is put together by hand, as zipfile cannot."""
    path = folder / "sums.eval"
    samples = {
        f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in log["samples"]
    }
    members = {header: {key: value for key, value in log.items() if key != "samples"}} | samples
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, json.dumps(value))
    if method == "zstd":
        path.write_bytes(zstandard_zip({name: json.dumps(v) for name, v in members.items()}))
    return path


def zstandard_zip(members: dict[str, str]) -> bytes:
    codec, body, directory = pa.Codec("zstd"), b"", b""
    for name, text in members.items():
        data = text.encode()
        # Two frames, as a writer makes that limits their length.
        packed = b"".join(
            codec.compress(part).to_pybytes() for part in (data[:100], data[100:]) if part
        )
        fixed = struct.pack(
            "<HHHHHIIIHH", 45, 0, 93, 0, 33, zlib.crc32(data), len(packed), len(data), len(name), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 45) + fixed
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + fixed + name.encode() + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


@pytest.mark.parametrize("method", ["deflate", "zstd"])
@pytest.mark.parametrize("header", ["header.json", "_journal/start.json"])
def test_inspect_archives_hold_the_same_as_json(tmp_path, method, header):
    path = zipped(tmp_path, json.loads(INSPECT.read_text()), method, header)
    found, expected = only(path), only(INSPECT)
    assert found.name == expected.name
    assert found.records.equals(expected.records)
    assert "samples/b_epoch_3.json" in found.warnings[0]


def test_inspect_asks_which_scorer_is_meant(tmp_path):
    log = json.loads(INSPECT.read_text())
    for sample in log["samples"]:
        sample["scores"] = {"match": {"value": "C"}, "judge": {"value": "I"}}
    path = zipped(tmp_path, log)
    with pytest.raises(UserError, match=r"a_epoch_1.json: several are recorded, match, judge; say"):
        load_groups([path])
    assert not only(path, choice=Choice(metric="judge")).records["correct"].any()


@pytest.mark.parametrize(
    ("value", "correct"),
    [("C", True), ("I", False), ("N", False), (1, True), (0.0, False), (True, True)],
)
def test_inspect_grades(tmp_path, value, correct):
    log = json.loads(INSPECT.read_text())
    log["samples"] = [log["samples"][0] | {"scores": {"s": {"value": value}}}]
    assert only(zipped(tmp_path, log)).records["correct"].tolist() == [correct]


def test_inspect_partial_credit_is_no_grade(tmp_path):
    log = json.loads(INSPECT.read_text())
    log["samples"][0]["scores"] = {"match": {"value": "P"}}
    with pytest.raises(
        UserError, match=r"a_epoch_1\.json: 'match' is 'P'; it must be true or false"
    ):
        load_groups([zipped(tmp_path, log)])


def test_inspect_whole_responses_are_no_answers(tmp_path):
    log = json.loads(INSPECT.read_text())
    for sample in log["samples"]:
        text = f"It is {sample['epoch']}. " * 20
        content = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": text}]
        sample["output"]["choices"] = [{"message": {"content": content}, "stop_reason": "stop"}]
        sample["scores"] = {"model_graded_qa": {"value": "C", "answer": text}}
    group = only(zipped(tmp_path, log))
    assert group.records["correct"].all()
    assert group.records["answer"].isna().all()


def test_inspect_damaged_logs_get_one_line(tmp_path):
    path = zipped(tmp_path, json.loads(INSPECT.read_text()))
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(UserError, match=r"sums\.eval: the zip is cut off or damaged"):
        load_groups([path])
    for method in ("deflate", "zstd"):
        whole = zipped(tmp_path, json.loads(INSPECT.read_text()), method).read_bytes()
        middle = whole.index(b"samples/a_epoch_1.json") + 60
        path.write_bytes(whole[:middle] + b"\0\0\0\0" + whole[middle + 4 :])
        with pytest.raises(UserError, match=r"a_epoch_1\.json is cut off or damaged .*copy it"):
            load_groups([path])
    # Bytes that unpack, and are not those that were packed.
    path.write_bytes(zstandard_zip({"header.json": '{"eval": {}}', "samples/a_epoch_1.json": "{}"}))
    right = struct.pack("<I", zlib.crc32(b"{}"))
    path.write_bytes(path.read_bytes().replace(right, b"\1\2\3\4"))
    with pytest.raises(UserError, match=r"a_epoch_1\.json is cut off or damaged \(Bad CRC-32"):
        load_groups([path])
    text = tmp_path / "cut.json"
    text.write_text(INSPECT.read_text()[:500])
    with pytest.raises(UserError, match=r"cut\.json: the log is not valid JSON"):
        load_groups([text])
    text.write_text(json.dumps({"samples": [{"id": 1}]}))
    with pytest.raises(UserError, match=r"cut\.json: not an inspect log; 'eval' is missing"):
        load_groups([text])


# ---- formats -------------------------------------------------------------------------------------


def test_formats_are_told_by_names_and_columns(tmp_path):
    assert format_of(INSPECT) == "inspect"
    assert format_of(zipped(tmp_path, json.loads(INSPECT.read_text()))) == "inspect"
    assert format_of(details(tmp_path, [(["7"], 1.0)], "em")) == "lighteval"
    table = pa.table({"problem_id": ["p"], "unit": [1], "correct": [True]})
    pq.write_table(table, tmp_path / "own.parquet")
    assert format_of(tmp_path / "own.parquet") == "native"
