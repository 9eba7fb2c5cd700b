"""The user's turn as the model reads it, and whether it fits: for the engines that hold a model."""

from __future__ import annotations

from typing import Any

from ttspm.engines import Request, Settings
from ttspm.errors import UserError


def prompt_tokens(
    tokenizer: Any, request: Request, settings: Settings, longest: int | None
) -> list[int]:
    """Tokens of a request's prompt under the model's chat template.

    Parameters
    ----------
    tokenizer : transformers tokenizer, or vLLM's stand-in for one
        The model's.
    request : Request
        Its prompt is the user's turn; there is no system turn beyond the template's own.
    settings : Settings
        Longest completion, which must find room after the prompt.
    longest : int or None
        The model's context in tokens; None where it has no limit.

    Raises
    ------
    UserError
        If there is no usable chat template, or prompt and completion do not fit the context.
    """
    # The template writes the special tokens itself.
    tokens = tokenizer.encode(
        _rendered(tokenizer, request, settings.name), add_special_tokens=False
    )
    if longest is not None and len(tokens) + settings.max_tokens > longest:
        raise UserError(
            f"problem '{request.problem_id}': its prompt has {len(tokens)} tokens, which with"
            f" generation.max_tokens: {settings.max_tokens} is more than the context of {longest}:"
            f" lower generation.max_tokens, or raise models.{settings.name}.context where the model"
            " has more"
        )
    return tokens


def refuse_longer_context(settings: Settings, own: int | None) -> None:
    """Refuse a configured context beyond what the model was made for.

    Raises
    ------
    UserError
        Naming both lengths.
    """
    if own is not None and settings.context is not None and settings.context > own:
        raise UserError(
            f"models.{settings.name}.context: {settings.context} is longer than the model's own"
            f" context of {own} tokens: lower it, or leave it out to take the model's own"
        )


def _rendered(tokenizer: Any, request: Request, name: str) -> str:
    from jinja2 import TemplateError

    messages = [{"role": "user", "content": request.prompt}]
    try:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise UserError(
            f"models.{name}: its chat template fails ({error}); models.{name}.chat_template takes a"
            " local Jinja file in its place"
        ) from error
    except ValueError as error:
        if "chat_template" not in str(error):
            raise
        raise UserError(
            f"models.{name}: no chat template, neither in its tokenizer_config.json nor as"
            f" chat_template.jinja: name a local Jinja file in models.{name}.chat_template"
        ) from error
    return str(text)
