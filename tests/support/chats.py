"""Conversations as they are held, without a model."""

from studio.chats.conversation import ChatMessage, Conversation


def held_with(*models: str) -> Conversation:
    """Build an empty conversation."""
    return Conversation().with_models(models)


def answer(turn: int, text: str) -> ChatMessage:
    """Build a complete answer."""
    return ChatMessage(role="assistant", turn=turn, content=text, ended="stop")


def talked(*questions: str, models: tuple[str, ...] = ("a", "b")) -> Conversation:
    """Hold a conversation in which model X answers question q with "X:q"."""
    conversation = held_with(*models)
    for turn, question in enumerate(questions):
        conversation = conversation.asked(question)
        for number, model in enumerate(models):
            conversation = conversation.answered(number, answer(turn, f"{model}:{question}"))
    return conversation
