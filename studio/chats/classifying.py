"""Classify titles by a chat with an endpoint: its category alone, since it tells no probabilities."""

from collections.abc import Iterator, Sequence

from studio.chats.conversation import ChatSettings, Conversation
from studio.chats.streaming import Transcript, open_answer
from studio.errors import InputError
from studio.language import say
from studio.samples.canonical import exact_category, write_question
from studio.samples.scheme import Scheme
from studio.serving.client import ChatEndpoint, Classification

MOST_TITLES = 50
"""One after the other: for more there are evaluations, which ask several at once and can be resumed."""


def classify_by_chat(
    endpoint: ChatEndpoint, titles: Sequence[str], scheme: Scheme
) -> Iterator[Classification]:
    """Ask an endpoint for the category of each title, as evaluations do: greedily, by the scheme's prompt.

    Raises:
        InputError: too many titles.
        ServerUnavailable: the endpoint does not answer, or rejects the request.
    """
    if len(titles) > MOST_TITLES:
        raise InputError(
            say(
                f"接口一次最多 {MOST_TITLES} 个标题，这里有 {len(titles):,} 个。",
                f"At most {MOST_TITLES} titles at a time at an endpoint, here are {len(titles):,}.",
            ),
            remedy=say(
                "请分几次，或在评估页用这个接口评估整个文件。",
                "Send fewer, or evaluate the whole file with this endpoint on the Evaluate page.",
            ),
        )
    for title in titles:
        asked = Conversation(settings=ChatSettings()).with_models((endpoint.model,))
        asked = asked.asked(write_question(scheme.prompt, title))
        transcript = Transcript()
        for piece in open_answer(endpoint, asked, 0)():
            transcript.feed(piece)
        yield Classification(
            title=title,
            category=exact_category(transcript.answer, scheme.names) if transcript.ended == "stop" else None,
            chain=transcript.thought.strip() or None,
            text=transcript.answer,
        )
