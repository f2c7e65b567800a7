"""How bad a problem is, in a word and a sign; what the codes are called is in `studio.validation.codes`."""

from studio.language import say
from studio.samples.problems import Severity

SEVERITY_NAMES: dict[Severity, tuple[str, str]] = {
    "error": ("错误", "error"),
    "warning": ("警告", "warning"),
    "hint": ("提示", "hint"),
}
SEVERITY_ICONS: dict[Severity, str] = {
    "error": ":red[:material/error:]",
    "warning": ":orange[:material/warning:]",
    "hint": ":gray[:material/lightbulb:]",
}


def severity_name(severity: Severity) -> str:
    """How bad a problem is, in a word."""
    return say(*SEVERITY_NAMES[severity])


PHASE_NAMES = {
    "waiting": ("准备", "starting"),
    "loading": ("加载模型与数据", "loading"),
    "training": ("训练", "training"),
    "evaluating": ("评估", "evaluating"),
    "saving": ("保存", "saving"),
    "drafting": ("起草", "drafting"),
    "downloading": ("下载", "downloading"),
    "verifying": ("校验", "verifying"),
    "sweeping": ("逐个试", "trying one after the other"),
}
