"""Render a conversation as text: one function for training, evaluation and serving.

A template splits a conversation into a prompt, which is what generation starts
from, and an answer, which is what is learned. The training text is their
concatenation, so the generation prompt is its prefix by construction, and the
think chain is always part of what is learned. This module knows no tensor.

Source of the layouts: LLaMA-Factory 0.9.5, data/template.py, and the models' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from backend.data.marks import Marks
from studio.contract import TemplateName
from studio.errors import InputError, ModelUnusable
from studio.language import say
from studio.samples.canonical import CLOSE, OPEN, read_answer, write_answer

THOUGHT = f"{OPEN}\n"
"""How an answer with a think chain begins."""

_TAGS = (OPEN, CLOSE)
_PROBE = "ANSWER"
"""An answer to see what a template puts after it."""

Message = dict[str, str]
"""{"role": "system" | "user" | "assistant", "content": text}"""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A layout. {s} system text, {q} question; {bos} and {eos} the model's tokens."""

    start: str = ""
    system: str
    default_system: str = ""
    user: str
    end: str

    def prompt(self, messages: Sequence[Message], *, bos: str, eos: str) -> str:
        """Render all turns up to where the next answer starts."""
        system = self.default_system
        if messages and messages[0]["role"] == "system":
            system, messages = messages[0]["content"], messages[1:]
        text = self.start + (self.system.replace("{s}", system) if system else "")
        text = text.replace("{bos}", bos).replace("{eos}", eos)
        for message in messages:
            if message["role"] == "assistant":
                text += self.answer(message["content"], eos=eos)
            else:
                text += self.user.replace("{eos}", eos).replace("{q}", message["content"])
        return text

    def answer(self, content: str, *, eos: str) -> str:
        """Render an assistant turn with its end token."""
        return content + self.end.replace("{eos}", eos)

    def to_jinja(self) -> str:
        """Write the same layout as a chat template of transformers, to save beside a model."""

        def literal(text: str) -> str:
            escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
            for name, code in (
                ("{bos}", "bos_token"),
                ("{eos}", "eos_token"),
                ("{s}", "system"),
                ("{q}", "message.content"),
            ):
                escaped = escaped.replace(name, f'" + {code} + "')
            return f'{{{{- "{escaped}" }}}}'

        default = self.default_system.replace('"', '\\"')
        return (
            '{%- set system = messages[0].content if messages and messages[0].role == "system" '
            f'else "{default}" %}}'
            + (literal(self.start) if self.start else "")
            + f"{{%- if system %}}{literal(self.system)}{{%- endif %}}"
            + '{%- for message in messages %}{%- if message.role == "user" %}'
            + literal(self.user)
            + '{%- elif message.role == "assistant" %}'
            + literal("{q}" + self.end)
            # An unknown role would else render as nothing, silently: TRL trained on rows of one token.
            + '{%- elif message.role != "system" %}{{- raise_exception("Unknown role " ~ message.role'
            + ' ~ ": messages are of system, user and assistant.") }}'
            + "{%- endif %}{%- endfor %}"
        )


_DEEPSEEK = Template(start="{bos}", system="{s}", user="<｜User｜>{q}<｜Assistant｜>", end="{eos}")
_CHATML = Template(
    system="<|im_start|>system\n{s}<|im_end|>\n",
    user="<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n",
    end="<|im_end|>\n",
)
TEMPLATES: dict[str, Template] = {
    "deepseek3": _DEEPSEEK,
    "deepseekr1": _DEEPSEEK,
    "qwen": Template(
        system=_CHATML.system,
        default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
        user=_CHATML.user,
        end=_CHATML.end,
    ),
    "qwen3": _CHATML,
    "chatml": _CHATML,
    "default": Template(system="System: {s}{eos}\n", user="Human: {q}{eos}\nAssistant:", end="{eos}\n"),
}


class Renderer:
    r"""A template bound to a tokenizer.

    With template `tokenizer` the model's own chat template renders the prompt and says
    how an answer ends; the answer itself never passes through it, since DeepSeek-R1's and
    Qwen3's cut the chain out. Where the prompt already opens the thought (`<think>\n`, as
    DeepSeek-R1's does), the answer continues it instead of opening it twice.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, name: TemplateName = "auto") -> None:
        self.tokenizer = tokenizer
        self.name = resolve_template(tokenizer, name)
        self.template = TEMPLATES.get(self.name)
        self.bos = str(tokenizer.bos_token or "")
        self.eos = str(tokenizer.eos_token or "")
        if self.template is None and not tokenizer.chat_template:
            raise ModelUnusable(
                say(
                    "这个模型的分词器没有自带对话模板。",
                    "This model's tokenizer has no chat template of its own.",
                ),
                remedy=say(
                    "请选择模板 default，或模型说明里给出的模板。",
                    "Choose template default, or the one the model card names.",
                ),
            )
        self.marks = Marks(tokenizer)
        self.own_end = "" if self.template else _own_end(self)

    def prompt(self, messages: Sequence[Message]) -> str:
        """Render the text that generation starts from."""
        messages = [self._plain(message) for message in messages]
        if self.template:
            return self.template.prompt(messages, bos=self.bos, eos=self.eos)
        return self._render(messages, opened=True)

    def _plain(self, message: Message) -> Message:
        """Have the marks that people wrote taken for text; the tags of an answer's own chain stay."""
        kept = _TAGS if message["role"] == "assistant" else ()
        return {**message, "content": self.marks.cut(message["content"], but=kept)}

    def _render(self, messages: Sequence[Message], *, opened: bool) -> str:
        """Render by the model's own template; `opened`: up to where the next answer starts."""
        try:
            rendered = self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=opened
            )
        except TemplateError as error:
            raise InputError(
                say(
                    f"模型自带的对话模板不接受这个对话：{error}",
                    f"The model's own chat template refuses this conversation: {error}",
                ),
                remedy=say(
                    "请检查角色顺序和系统消息，或换用其他模板。",
                    "Check the order of roles and the system message, or choose another template.",
                ),
            ) from error
        return cast(str, rendered)

    def open_thought(self, prompt: str) -> str:
        """Return what to append to `prompt` so that the answer starts with a think chain.

        Without it a model that has also learned empty chains may skip the thought:
        of all openings, the one empty chain is the likeliest single continuation.
        """
        return "" if prompt.endswith(THOUGHT) else THOUGHT

    def answer(self, content: str, prompt: str) -> str:
        """Render the answer `content` to `prompt`, end token included."""
        content = self.marks.cut(content, but=_TAGS)
        if self.template:
            return self.template.answer(content, eos=self.eos)
        if prompt.endswith(THOUGHT):
            content = _inside_thought(content)
        return content + self.own_end

    @property
    def end_tokens(self) -> tuple[str, ...]:
        """Tokens that end an answer."""
        if self.template and self.template.end.startswith("<|im_end|>"):
            return ("<|im_end|>", self.eos)
        own = _first_token(self.tokenizer, self.own_end)
        return tuple(dict.fromkeys([own or self.eos, self.eos]))

    @property
    def chat_template(self) -> str | None:
        """The chat template to save beside what was trained with this renderer."""
        return self.template.to_jinja() if self.template else self.tokenizer.chat_template


def _own_end(renderer: Renderer) -> str:
    """Find out how the model's own template ends an answer, with white space after the end token."""
    asked = {"role": "user", "content": "?"}
    turns = [asked, {"role": "assistant", "content": _PROBE}]
    try:
        last = renderer._render(turns, opened=False).rpartition(_PROBE)[2]
        followed = renderer._render([*turns, asked], opened=False).rpartition(_PROBE)[2]
    except InputError:
        return renderer.eos
    # Phi-3's puts the end of the text after the last answer's own end.
    candidates = (last, last.removesuffix(renderer.eos))
    ends = (end for end in candidates if followed.startswith(end) and _first_token(renderer.tokenizer, end))
    return next(ends, renderer.eos)


def _first_token(tokenizer: PreTrainedTokenizerBase, end: str) -> str | None:
    """Find the special token that `end` begins with, at which generation stops; None without one."""
    special = [str(token) for token in tokenizer.added_tokens_decoder.values()]
    return max((token for token in special if end.startswith(token)), key=len, default=None)


def _inside_thought(content: str) -> str:
    """Continue an answer where the prompt has opened its thought; without a chain, close it."""
    answer = read_answer(content)
    if answer.form in ("unclosed", "repeated"):
        return content.removeprefix(OPEN).removeprefix("\n")
    return write_answer(answer.chain or "", answer.label).removeprefix(THOUGHT)


def resolve_template(tokenizer: PreTrainedTokenizerBase, name: TemplateName) -> TemplateName:
    """Resolve `auto` to a template by the special tokens that the model knows."""
    if name != "auto":
        return name
    vocabulary = tokenizer.get_vocab()
    if "<｜User｜>" in vocabulary:
        return "deepseekr1"
    if "<|im_start|>" in vocabulary:
        thinks = OPEN in vocabulary or "enable_thinking" in (tokenizer.chat_template or "")
        return "qwen3" if thinks else "qwen"
    return "tokenizer" if tokenizer.chat_template else "default"
