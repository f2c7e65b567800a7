"""What the codes of `news-studio check` are called on a page; a code without a name is shown as it is."""

from studio.language import say
from studio.problems import Severity

PROBLEM_NAMES: dict[str, tuple[str, str]] = {
    "unreadable": ("无法读取", "unreadable"),
    "encoding": ("编码不是 UTF-8", "not UTF-8"),
    "empty_file": ("空文件", "empty file"),
    "not_a_list": ("不是列表", "not a list"),
    "missing_key": ("缺少字段", "missing key"),
    "wrong_type": ("类型不对", "wrong type"),
    "unknown_role": ("未知角色", "unknown role"),
    "role_order": ("轮次顺序不对", "turns out of order"),
    "title_too_long": ("标题太长", "title too long"),
    "too_large": ("解压后过大", "unpacks to too much"),
    "empty_answer": ("答案为空", "empty answer"),
    "think_missing": ("没有思维链", "no think chain"),
    "think_unclosed": ("思维链没有结束", "think chain not closed"),
    "think_repeated": ("思维链标记重复", "think tags repeated"),
    "think_empty": ("思维链为空", "empty think chain"),
    "think_form": ("思维链写法不规范", "think chain in another form"),
    "answer_not_category": ("答案不是十个类别之一", "answer is no category"),
    "prefix_missing": ("缺少提问前缀", "question prefix missing"),
    "duplicate_title": ("标题重复", "repeated title"),
    "conflicting_labels": ("同一标题类别不同", "conflicting labels"),
    "in_both_splits": ("训练和评估都有", "in both splits"),
    "category_missing": ("某个类别没有样本", "category without rows"),
    "info_incomplete": ("dataset_info.json 不完整", "dataset_info.json incomplete"),
    "info_mixed_folder": ("文件夹里类型不一", "folder of several file types"),
    "info_openai": ("formatting 是 openai", "formatting is openai"),
    "chain_contradicts": ("思维链与类别矛盾", "chain contradicts the category"),
    "chain_foreign_category": ("思维链提到第十一个类别", "chain names an eleventh category"),
    "chain_foreign_language": ("思维链混入外文", "chain drifts into another language"),
    "chain_no_quote": ("思维链没有引用标题", "chain quotes nothing of the title"),
    "chain_undecided": ("思维链没有落到类别", "chain names no category"),
    "chain_tag": ("思维链里写了标记", "tags inside the chain"),
    "chain_blank": ("思维链有空格没填", "blanks left in the chain"),
    "chain_repeats": ("与已有思维链太像", "too close to another chain"),
    "chain_skeleton": ("句子套路重复", "sentences like many others"),
    "chain_short": ("思维链太短", "chain too short"),
    "chain_long": ("思维链太长", "chain too long"),
}
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


def problem_name(code: str) -> str:
    """A problem in a few words."""
    return say(*PROBLEM_NAMES[code]) if code in PROBLEM_NAMES else code


def severity_name(severity: Severity) -> str:
    """How bad a problem is, in a word."""
    return say(*SEVERITY_NAMES[severity])
