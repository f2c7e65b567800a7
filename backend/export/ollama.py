"""Write an Ollama Modelfile: the trained template, what ends an answer, and the decoding settings.

Source: https://docs.ollama.com/modelfile. The template is for single questions, which is what is trained.
"""

from backend.data.templates import Renderer

_SYSTEM, _QUESTION, _ANSWER = "SYSTEMTEXT", "QUESTIONTEXT", "ANSWERTEXT"
"""Stand for the parts of a conversation while the template's own text is read off; plain letters."""
REPEAT_WINDOW = 24


def modelfile(renderer: Renderer, gguf: str, *, penalty: float, context: int, adds_bos: bool) -> str:
    """Write the Modelfile of a GGUF file that lies beside it.

    Args:
        renderer: of the trained template.
        gguf: name of the file.
        penalty: the model's repetition penalty.
        context: longest prompt and answer in tokens.
        adds_bos: the runtime puts the beginning token before the prompt by itself.
    """
    lines = [
        f"FROM ./{gguf}",
        f'TEMPLATE """{_template(renderer, adds_bos=adds_bos)}"""',
        "PARAMETER temperature 0",
        f"PARAMETER num_ctx {context}",
        *(f'PARAMETER stop "{end}"' for end in dict.fromkeys(renderer.end_tokens)),
    ]
    if penalty != 1.0:
        lines += [f"PARAMETER repeat_penalty {penalty:g}", f"PARAMETER repeat_last_n {REPEAT_WINDOW}"]
    return "\n".join(lines) + "\n"


def _template(renderer: Renderer, *, adds_bos: bool) -> str:
    """Read a Go template off the rendered text, with and without a system message."""
    plain = renderer.prompt([{"role": "user", "content": _QUESTION}])
    with_system = renderer.prompt(
        [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}]
    )
    opened = renderer.open_thought(plain)
    asked, answered = (_fields(text + opened) for text in (plain, with_system))
    if adds_bos and renderer.bos:
        asked, answered = asked.removeprefix(renderer.bos), answered.removeprefix(renderer.bos)
    end = renderer.answer(_ANSWER, plain).rpartition(_ANSWER)[2]
    return f"{{{{ if .System }}}}{answered}{{{{ else }}}}{asked}{{{{ end }}}}{{{{ .Response }}}}{end}"


def _fields(text: str) -> str:
    return text.replace(_SYSTEM, "{{ .System }}").replace(_QUESTION, "{{ .Prompt }}")
