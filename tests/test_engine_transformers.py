"""The transformers engine: what a unit is does not depend on what else is in its batch."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.engines import Request, Settings
from ttspm.engines.sampling import choose_tokens, nucleus
from ttspm.engines.transformers import run
from ttspm.errors import UserError
from ttspm.seeds import unit_seed

SAMPLED = Settings(
    temperature=0.8, top_p=0.9, max_tokens=40, dtype="float32", context=None, batch=64, threads=1
)
PROMPTS = ["1+1", "a longer question than the first", "x", "What is it?\nSay.", "é"]


def unit_requests(units: int = 4) -> list[Request]:
    return [
        Request(f"p{i}", unit, unit_seed(1, "tiny", "b", "parallel", f"p{i}", unit), prompt)
        for unit in range(1, units + 1)
        for i, prompt in enumerate(PROMPTS)
    ]


def generate(model, settings, requests, follow=lambda request, completion: None):
    """Completions by problem and unit, and the facts."""
    made = {}

    def finished(request, completion):
        key = (request.problem_id, request.unit)
        assert key not in made
        made[key] = completion
        return follow(request, completion)

    facts = run(model, settings, requests, finished)
    return made, facts


@pytest.fixture(scope="module")
def together(tiny_model):
    made, _ = generate(tiny_model, SAMPLED, unit_requests())
    return made


@pytest.fixture(scope="module")
def network(tiny_model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return (
        AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval(),
        AutoTokenizer.from_pretrained(tiny_model),
    )


def same(one, other) -> bool:
    return (
        replace(one, mean_logprob=None) == replace(other, mean_logprob=None)
        and abs(one.mean_logprob - other.mean_logprob) < 1e-5
    )


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_unit_does_not_depend_on_its_batch(tiny_model, together, batch):
    made, _ = generate(tiny_model, replace(SAMPLED, batch=batch), unit_requests())
    assert made.keys() == together.keys()
    assert all(same(made[key], together[key]) for key in made)


def test_a_unit_does_not_depend_on_order_or_company(tiny_model, together):
    some = unit_requests()[::-1][::2]
    made, _ = generate(tiny_model, SAMPLED, some)
    assert len(made) == len(some)
    assert all(same(completion, together[key]) for key, completion in made.items())


def test_units_differ_and_end_both_ways(together):
    texts = [completion.text for completion in together.values()]
    assert len(set(texts)) == len(texts)
    assert {completion.finish_reason for completion in together.values()} == {"stop", "length"}
    for completion in together.values():
        assert (completion.completion_tokens == 40) or completion.finish_reason == "stop"
        assert 1 <= completion.completion_tokens <= 40


def test_prompt_tokens_are_those_of_the_template(together):
    for i, prompt in enumerate(PROMPTS):  # one token a byte, and the template's two
        assert together[f"p{i}", 1].prompt_tokens == len(prompt.encode()) + 2


def test_greedy_is_what_generate_makes(tiny_model, network):
    model, tokenizer = network
    made, _ = generate(tiny_model, replace(SAMPLED, temperature=0.0), unit_requests(1))
    for i, prompt in enumerate(PROMPTS):
        tokens = tokenizer(f"<user>{prompt}<assistant>", return_tensors="pt")
        out = model.generate(
            **tokens, do_sample=False, max_new_tokens=40, eos_token_id=0, pad_token_id=0
        )
        completion = out[0, tokens["input_ids"].shape[1] :]
        assert made[f"p{i}", 1].text == tokenizer.decode(completion, skip_special_tokens=True)
        assert made[f"p{i}", 1].completion_tokens == len(completion)


def test_mean_logprob_is_the_models_own(tiny_model, network):
    """Score each greedy completion again in one pass, without a cache."""
    model, tokenizer = network
    made, _ = generate(tiny_model, replace(SAMPLED, temperature=0.0), unit_requests(1))
    for i, prompt in enumerate(PROMPTS):
        asked = tokenizer(f"<user>{prompt}<assistant>", return_tensors="pt")["input_ids"]
        out = model.generate(
            asked, do_sample=False, max_new_tokens=40, eos_token_id=0, pad_token_id=0
        )
        with torch.inference_mode():
            logprobs = model(out).logits[0].log_softmax(-1)
        start = asked.shape[1]
        scored = [logprobs[at - 1, out[0, at]].item() for at in range(start, out.shape[1])]
        assert made[f"p{i}", 1].mean_logprob == pytest.approx(np.mean(scored), abs=1e-5)


def test_chains_go_on_until_their_last_round(tiny_model):
    def follow(request, completion):
        if request.unit == 3:
            return None
        unit = request.unit + 1
        return replace(request, unit=unit, seed=unit, prompt=f"again {completion.text[:3]}")

    made, _ = generate(tiny_model, replace(SAMPLED, batch=2), unit_requests(1), follow)
    assert set(made) == set(itertools.product((f"p{i}" for i in range(5)), (1, 2, 3)))


def test_facts_name_versions_and_device(tiny_model):
    import transformers

    _, facts = generate(tiny_model, SAMPLED, unit_requests(1))
    assert facts["engine"] == f"transformers {transformers.__version__}, torch {torch.__version__}"
    assert facts["device"]
    assert facts["generate_seconds"] >= facts["first_unit_seconds"] > 0


# ---- what is refused at the start --------------------------------------------------------------


def refused(tiny_model, settings, requests=None) -> str:
    made = []
    with pytest.raises(UserError) as error:
        run(tiny_model, settings, requests or unit_requests(1), lambda *unit: made.append(unit))
    assert made == []
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_context_beyond_the_models_is_refused(tiny_model):
    message = refused(tiny_model, replace(SAMPLED, name="tiny", context=4096))
    assert "models.tiny.context: 4096" in message
    assert "128" in message


def test_a_prompt_without_room_is_refused_before_any_is_generated(tiny_model):
    last = [*unit_requests(1), Request("long", 1, 1, "x" * 100)]
    message = refused(tiny_model, replace(SAMPLED, batch=1), last)
    assert "problem 'long': its prompt has 102 tokens" in message
    assert "generation.max_tokens" in message


def test_a_missing_chat_template_names_the_way_out(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").unlink()
    message = refused(tmp_path / "m", replace(SAMPLED, name="tiny"))
    assert "models.tiny: no chat template" in message
    assert "models.tiny.chat_template" in message


def test_a_chat_template_that_fails_is_told(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").write_text("{{ raise_exception('no such turn') }}")
    assert "its chat template fails (no such turn)" in refused(tmp_path / "m", SAMPLED)


def test_more_gpus_than_there_are_is_refused(tiny_model):
    seen = torch.cuda.device_count()
    message = refused(tiny_model, replace(SAMPLED, name="tiny", gpus=seen + 2))
    assert f"models.tiny.gpus: {seen + 2}, but the job sees {seen}" in message


# ---- sampling ----------------------------------------------------------------------------------

logits = st.lists(
    st.lists(st.floats(-8, 8, width=32), min_size=6, max_size=6), min_size=1, max_size=4
)


@given(logits, st.floats(0.01, 1))
@settings(deadline=None, derandomize=True)
def test_nucleus_is_the_smallest_most_likely_set(rows, top_p):
    probabilities = torch.tensor(rows).softmax(-1)
    kept = nucleus(probabilities, top_p)
    for row, keep in zip(probabilities.double().tolist(), kept.tolist(), strict=True):
        best_first = sorted(range(6), key=lambda i: (-row[i], i))
        wanted, mass = set(), 0.0
        for i in best_first:
            if top_p < 1 and mass >= top_p:
                break
            wanted.add(i)
            mass += row[i]
        assert {i for i in range(6) if keep[i]} == wanted


@given(logits, st.floats(0.1, 3), st.floats(0.01, 1), st.floats(0, 1, exclude_max=True))
@settings(deadline=None, derandomize=True)
def test_a_token_is_drawn_by_inverting_the_distribution(rows, temperature, top_p, draw):
    scores = torch.tensor(rows)
    draws = torch.full((len(rows),), draw, dtype=torch.float64)
    tokens, logprobs = choose_tokens(scores, temperature, top_p, draws)
    probabilities = (scores / temperature).softmax(-1)
    kept = nucleus(probabilities, top_p)
    for i, token in enumerate(tokens.tolist()):
        assert kept[i, token]
        mass = torch.where(kept[i], probabilities[i], 0).double().tolist()
        below, upto = sum(mass[:token]), sum(mass[: token + 1])
        assert below <= draw * sum(mass) + 1e-12
        assert draw * sum(mass) < upto + 1e-12
        assert logprobs[i].item() == pytest.approx(scores[i].log_softmax(-1)[token].item())


def test_frequencies_are_the_probabilities():
    """20,000 draws against exact probabilities, within five standard errors."""
    scores = torch.tensor([[1.0, 0.0, 2.0, -1.0, 0.5]])
    n = 20_000
    draws = torch.rand(n, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    tokens, _ = choose_tokens(scores.expand(n, -1), 0.7, 0.95, draws)
    probabilities = (scores[0] / 0.7).softmax(-1)
    kept = torch.where(nucleus(probabilities[None], 0.95)[0], probabilities, 0)
    exact = (kept / kept.sum()).numpy()
    assert (exact == 0).sum() == 2  # the tail is cut
    found = np.bincount(tokens.numpy(), minlength=5) / n
    assert np.all(np.abs(found - exact) <= 5 * np.sqrt(exact * (1 - exact) / n))


@pytest.mark.parametrize("top_p", [0.5, 0.95, 1.0])
def test_the_last_possible_draw_gives_a_token_with_probability(top_p):
    scores = torch.tensor([[3.0, 1.0, -200.0]])
    draw = torch.tensor([1.0], dtype=torch.float64).nextafter(torch.zeros(1, dtype=torch.float64))
    tokens, _ = choose_tokens(scores, 1.0, top_p, draw)
    assert tokens.item() in (0, 1)


# ---- the real small model ----------------------------------------------------------------------


@pytest.mark.model
def test_the_small_model_answers_alike_in_any_batch(small_model):
    asked = [
        Request(f"p{i}", unit, unit_seed(1, "m", "b", "parallel", f"p{i}", unit), question)
        for i, question in enumerate(["What is 3 + 4?", "Tom has 3 apples and buys 2. How many?"])
        for unit in (1, 2, 3)
    ]
    settings_ = replace(SAMPLED, temperature=0.6, top_p=0.95, max_tokens=16)
    together, _ = generate(small_model, settings_, asked)
    alone, _ = generate(small_model, replace(settings_, batch=1), asked[::-1])
    assert all(same(alone[key], together[key]) for key in together)
    assert any("7" in together["p0", unit].text for unit in (1, 2, 3))
