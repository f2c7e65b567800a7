"""Export a conversation as JSON or Markdown, and the rounds of blind comparisons as CSV or JSON Lines."""

import json
from collections.abc import Mapping, Sequence

from studio.chats.blind import Round
from studio.chats.conversation import ChatMessage, Conversation
from studio.language import say
from studio.system.csv_export import csv_bytes


def conversation_json(conversation: Conversation, name: str) -> bytes:
    """Export everything that was said and how it was asked, in the roles of the OpenAI protocol.

    One entry a model, each with its `messages`; `reasoning_content` is the thought.
    """
    document = {
        "name": name,
        "settings": conversation.settings.model_dump(),
        "conversations": [
            {"model": pane.model, "messages": [_exported(each) for each in pane.messages]}
            for pane in conversation.panes
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def conversation_markdown(conversation: Conversation, name: str, model_names: Mapping[str, str]) -> bytes:
    """Export it to be read, in the reader's language; `model_names` are those to show."""
    parts = [f"# {name}"]
    if conversation.settings.system:
        parts += [f"## {say('系统提示', 'System prompt')}", conversation.settings.system]
    for pane in conversation.panes:
        if len(conversation.panes) > 1:
            parts.append(f"# {model_names.get(pane.model, pane.model)}")
        for each in pane.messages:
            writer = each.model or pane.model
            speaker = say("我", "Me") if each.role == "user" else model_names.get(writer, writer)
            parts.append(f"## {speaker}")
            if each.reasoning:
                # A quotation: what is a heading in a thought shall be none of the document.
                parts.append("\n".join(f"> {line}" for line in each.reasoning.splitlines()))
            parts.append(each.content)
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def rounds_csv(rounds: Sequence[Round], model_names: Mapping[str, str]) -> bytes:
    """Export the votes for a spreadsheet: a row a question, the models in the order that they were shown."""
    most = max((len(one.models) for one in rounds), default=0)
    header = ["question", "vote", "better", "voter", "at"]
    for number in range(most):
        header += [f"model_{number + 1}", f"answer_{number + 1}"]
    rows = []
    for one in rounds:
        cells = [one.question, _vote(one), _better(one, model_names), one.voter or "", one.at]
        for model, answer in zip(one.models, one.answers, strict=True):
            cells += [model_names.get(model, model), answer.content]
        rows.append(tuple(cells + [""] * (len(header) - len(cells))))
    return csv_bytes(tuple(header), rows)


def rounds_jsonl(rounds: Sequence[Round]) -> bytes:
    """Export the votes as JSON Lines, with thoughts and settings."""
    lines = (
        json.dumps(
            {
                "question": one.question,
                "models": one.models,
                "answers": [_exported(answer) for answer in one.answers],
                "settings": one.settings.model_dump(),
                "vote": _vote(one),
                "better": one.models[one.vote] if isinstance(one.vote, int) else None,
                "author": one.author,
                "voter": one.voter,
                "at": one.at,
            },
            ensure_ascii=False,
        )
        for one in rounds
    )
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _exported(message: ChatMessage) -> dict[str, object]:
    fields: dict[str, object] = {"role": message.role, "content": message.content}
    if message.role == "assistant":
        fields |= {"reasoning_content": message.reasoning or None, "ended": message.ended}
        fields |= {"model": message.model} if message.model else {}
        fields |= {"edited": True} if message.edited else {}
    return fields


def _vote(one: Round) -> str:
    if one.vote is None:
        return ""
    return str(one.vote + 1) if isinstance(one.vote, int) else one.vote


def _better(one: Round, model_names: Mapping[str, str]) -> str:
    if not isinstance(one.vote, int):
        return ""
    return model_names.get(one.models[one.vote], one.models[one.vote])
