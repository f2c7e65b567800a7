"""Say what each format is for, what each type of weights costs, and where decoding settings go."""

from studio.contract import ExportFormat, ExportQuant
from studio.language import say

FORMAT_NAMES: dict[ExportFormat, tuple[str, str]] = {
    "package": ("产品包", "Package"),
    "gguf": ("GGUF", "GGUF"),
    "ollama": ("Ollama", "Ollama"),
    "safetensors": ("safetensors", "safetensors"),
    "adapter": ("适配器", "Adapter"),
}
_PURPOSES: dict[ExportFormat, tuple[str, str]] = {
    "package": (
        "给产品团队：一个文件夹，含 GGUF 模型、服务、十行的客户端、阈值、模型卡、许可和冒烟测试。"
        "装上 requirements.txt 里的一个包就能离线运行。",
        "For a product team: one folder with the GGUF model, a server, a ten-line client, threshold, card, "
        "licences and a smoke test. It runs offline with the one package of its requirements.txt.",
    ),
    "gguf": (
        "一个文件，给 llama.cpp 及以它为核心的软件。模板、结束标记、重复惩罚都在文件里。",
        "One file for llama.cpp and what is built on it, with template, end tokens and repetition penalty.",
    ),
    "ollama": (
        "同样的 GGUF，外加写好模板、停止词和参数的 Modelfile：ollama create 名字 -f Modelfile。",
        "The same GGUF and a Modelfile with template, stop texts and parameters: "
        "ollama create NAME -f Modelfile.",
    ),
    "safetensors": (
        "适配器并入基座的完整模型，给 transformers、vLLM、SGLang。int8 和 nf4 由 bitsandbytes 压缩。",
        "The whole model with its adapter merged, for transformers, vLLM and SGLang; int8 and nf4 by "
        "bitsandbytes.",
    ),
    "adapter": (
        "只有适配器，几兆字节；对方要有同一个基座。",
        "The adapter alone, a few megabytes; the other side needs the same base.",
    ),
}
_WHERE: dict[ExportFormat, tuple[str, str]] = {
    "package": ("GGUF 和 Modelfile", "the GGUF and the Modelfile"),
    "gguf": ("GGUF 的默认采样参数", "the GGUF's default sampling"),
    "ollama": ("GGUF 和 Modelfile", "the GGUF and the Modelfile"),
    "safetensors": ("generation_config.json", "generation_config.json"),
    "adapter": ("generation_config.json", "generation_config.json"),
}
_LOSSES: tuple[tuple[tuple[ExportQuant, ...], tuple[str, str]], ...] = (
    (("f32",), ("原样", "exact")),
    (("f16", "bf16"), ("几乎原样", "all but exact")),
    (("q8_0", "int8"), ("8 位，通常看不出差别", "8 bit, usually no visible loss")),
    (("q6_k", "q5_k_m", "q5_1", "q5_0"), ("5 到 6 位，损失很小", "5 to 6 bit, a small loss")),
    (("q4_k_m", "q4_k_s", "q4_1", "q4_0", "nf4"), ("4 位，小模型会丢几题", "4 bit, small models lose a few")),
    (("q3_k_m",), ("3 位，先看核对结果再用", "3 bit: read the proof before use")),
)


def format_name(format_: ExportFormat) -> str:
    """Name a format."""
    return say(*FORMAT_NAMES[format_])


def purpose(format_: ExportFormat) -> str:
    """Say what a format is for."""
    return say(*_PURPOSES[format_])


def loss(quant: ExportQuant) -> str:
    """Say what a type of weights usually costs."""
    return next(say(*words) for quants, words in _LOSSES if quant in quants)


def decoding_note(format_: ExportFormat, penalty: float) -> str:
    """Say which decoding settings travel, and where they are written."""
    where = say(*_WHERE[format_])
    if penalty == 1.0:
        return say(
            f"解码设置随文件走：结束标记和贪心解码写进 {where}；这个模型不需要重复惩罚。",
            f"Decoding settings travel: end tokens and greedy decoding go into {where}; this model needs no "
            "repetition penalty.",
        )
    return say(
        f"解码设置随文件走：结束标记和重复惩罚 {penalty:g} 写进 {where}。没有它，思维链会循环；"
        "别的环境的用法与这里不同，所以有无惩罚都会核对。",
        f"Decoding settings travel: end tokens and the repetition penalty of {penalty:g} go into {where}. "
        "Without it chains loop; other runtimes apply it differently, so the proof is run with and without.",
    )
