"""Give the page its language, its theme and its styles in the browser; draw the choice of the theme.

Streamlit names its own parts in English only, and tells no screen reader which language a page is in.
It keeps a chosen theme for each address; here the choice holds for all pages.
"""

from collections.abc import Sequence

import streamlit as st

from pages.shared import colors
from studio.language import current_language, say

STYLES = """
[data-testid="stCaptionContainer"], [data-testid="stExpander"] summary {
  opacity: 1 !important; color: light-dark(QUIET_LIGHT, QUIET_DARK) !important; }
/* The accent of the dark theme is light, so that it can be read as text; on it, white cannot. */
:is([data-testid="stBaseButton-primary"], [data-testid="stBaseButton-primaryFormSubmit"]):not(:disabled) {
  color: light-dark(#FFFFFF, #10151C); }
[data-testid^="stBaseButton-primary"] kbd { opacity: 1; color: inherit; }
[data-testid="stMainBlockContainer"] { padding-left: 2.5rem; padding-right: 2.5rem; }
/* Menu, name, language and theme fit beside each other into a small screen. */
[data-testid="stSidebarHeader"] { margin-bottom: -0.9rem; }
[data-testid="stSidebarNavLink"] { margin-top: 0; margin-bottom: 0; }
[data-testid="stNavSectionHeader"] { margin-top: -0.25rem; margin-bottom: -0.1rem; }
[data-testid="stSidebarNavSeparator"] { margin-top: 0.25rem; }
[data-testid="stSidebarUserContent"] { padding-top: 0.75rem; padding-bottom: 1rem; }
[data-testid="stSidebarUserContent"] [data-testid="stVerticalBlock"] { gap: 0.6rem; }
/* The whole page takes the focus when nothing on it has: a frame around it says nothing. */
[data-testid="stMain"]:focus-visible::before, [data-testid="stMain"]:focus-visible::after { display: none; }
[data-testid="stSidebarNavLink"]:focus-visible, [data-testid="stLogoLink"]:focus-visible,
[data-testid="stPageLink-NavLink"]:focus-visible, [data-testid="stTab"]:focus-visible,
summary:focus-visible { outline: 2px solid currentColor !important; outline-offset: 1px; }
/* Tabs and choices that do not fit beside each other go on in the next line. */
[role="tablist"], [data-testid="stButtonGroup"] :is([role="radiogroup"], [role="group"]) {
  flex-wrap: wrap !important; row-gap: 0.3rem; overflow: visible !important; }
/* An icon alone for the eye, a name for the ear. */
[class*="st-key-icons-"] button [data-testid="stMarkdownContainer"] { position: absolute; width: 1px;
  height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
}
"""

# What Streamlit 1.67 writes itself: whole texts, and beginnings before a name of ours.
_WORDS = {
    "Add files": "添加文件",
    "App pages": "页面",
    "Browse files": "选择文件",
    "Cancel (Escape)": "取消（Esc）",
    "Choose an option": "请选择",
    "Choose options": "请选择",
    "Choose or add an option": "选择或新增",
    "Choose or add options": "选择或新增",
    "Clear all": "全部清除",
    "Clear date": "清除日期",
    "Clear selection": "清除选择",
    "Clear value": "清除",
    "Close": "关闭",
    "Close Search": "关闭搜索",
    "Close fullscreen": "退出全屏",
    "Collapse sidebar": "收起侧栏",
    "Copied": "已复制",
    "Copy": "复制",
    "Copy column name": "复制列名",
    "Copy to clipboard": "复制",
    "Dataframe column menu": "列的菜单",
    "Decrement": "减",
    "Download as CSV": "下载 CSV",
    "Download as PNG": "下载 PNG",
    "Drag and drop file here": "把文件拖到这里",
    "Drag and drop files here": "把文件拖到这里",
    "Exit fullscreen": "退出全屏",
    "Expand sidebar": "展开侧栏",
    "Fullscreen": "全屏",
    "Hide password": "隐藏密码",
    "Increment": "加",
    "Logo": "标志",
    "Navigate to home page": "回到首页",
    "Next Result": "下一处",
    "No content": "没有内容",
    "No data": "没有数据",
    "No options": "没有选项",
    "No results": "没有结果",
    "Notifications": "通知",
    "Open": "展开选项",
    "Previous Result": "上一处",
    "Press Ctrl+Enter to apply": "按 Ctrl+Enter 生效",
    "Press Ctrl+Enter to submit form": "按 Ctrl+Enter 提交",
    "Press Enter to apply": "按 Enter 生效",
    "Press Enter to submit form": "按 Enter 提交",
    "Press ⌘+Enter to apply": "按 ⌘+Enter 生效",
    "Press ⌘+Enter to submit form": "按 ⌘+Enter 提交",
    "Running...": "正在运行",
    "Scroll tabs left": "向左滚动标签",
    "Scroll tabs right": "向右滚动标签",
    "Search": "搜索",
    "Select all": "全选",
    "Selected values": "已选",
    "Send message": "发送",
    "Show chart": "显示图表",
    "Show data": "显示数据",
    "Show password": "显示密码",
    "Show/hide columns": "显示或隐藏列",
    "Sidebar": "侧栏",
    "Skip to main content": "跳到正文",
    "Stop": "停止",
    "Stop script": "停止",
    "Upload": "选择文件",
    "file upload": "选择文件",
    "progress": "进度",
}
_BEGINNINGS = {
    "Add: ": "新增：",
    "Copy Vega-Lite spec: ": "复制图表定义：",
    "Download as CSV: ": "下载 CSV：",
    "Download as PNG: ": "下载 PNG：",
    "Fullscreen: ": "全屏：",
    "Help for ": "说明：",
    "Remove ": "移除 ",
    "Search: ": "搜索：",
    "Select all ": "全选 ",
    "Shortcut ": "快捷键 ",
    "Show data: ": "显示数据：",
    "Show chart: ": "显示图表：",
    "Show/hide columns: ": "显示或隐藏列：",
}
# Icons within a sentence that say more than the words beside them.
_ICONS = {
    "check": ("是", "yes"),
    "error": ("错误", "error"),
    "flag": ("存疑", "flagged"),
    "warning": ("警告", "warning"),
}

_APPEARANCE = st.components.v2.component(
    "news_studio_appearance",
    html='<div class="choices" role="radiogroup"></div>',
    css="""
:host { display: block; }
.choices { display: flex; font-family: var(--st-font); }
label { flex: 1; text-align: center; font-size: 0.875rem; line-height: 1.2; padding: 0.35rem 0.3rem;
  color: var(--st-text-color); border: 1px solid var(--st-border-color); margin-left: -1px; cursor: pointer;
  background: var(--st-background-color); }
label:first-child { border-radius: var(--st-base-radius) 0 0 var(--st-base-radius); margin-left: 0; }
label:last-child { border-radius: 0 var(--st-base-radius) var(--st-base-radius) 0; }
label:has(:checked) { border-color: var(--st-primary-color); z-index: 1; position: relative; font-weight: 650;
  text-decoration: underline; text-underline-offset: 0.25em; }
label:has(:focus-visible) { outline: 2px solid var(--st-text-color); outline-offset: 1px; }
input { position: absolute; opacity: 0; width: 1px; height: 1px; }
""",
    js="""
export default function ({ data, parentElement, setTriggerValue }) {
  const page = parentElement.ownerDocument ?? document
  const view = page.defaultView ?? window
  page.documentElement.lang = data.lang

  const base = view.location.pathname.replace(/[^/]*$/, "")
  const keys = data.pages.map((name) => `stActiveTheme-${base}${name}-v2`)
  const chosen = () => {
    const here = `stActiveTheme-${view.location.pathname}-v2`
    const found = [here, ...keys].map((key) => view.localStorage.getItem(key)).find(Boolean)
    return JSON.parse(found ?? '"System"')
  }
  const choose = (theme) => {
    for (const key of keys) view.localStorage.setItem(key, JSON.stringify(theme))
    view.location.reload()
  }
  // Colours that we choose are drawn anew when the system turns dark or light.
  const system = view.matchMedia("(prefers-color-scheme: dark)")
  const turned = () => {
    if (chosen() === "System") setTimeout(() => setTriggerValue("turned", system.matches), 300)
  }
  view.newsStudioTurned?.()
  system.addEventListener("change", turned)
  view.newsStudioTurned = () => system.removeEventListener("change", turned)

  const choices = parentElement.querySelector(".choices")
  choices.setAttribute("aria-label", data.label)
  choices.replaceChildren(...data.themes.map(([theme, name]) => {
    const label = page.createElement("label"), input = page.createElement("input")
    Object.assign(input, { type: "radio", name: "theme", value: theme, checked: theme === chosen() })
    input.addEventListener("change", () => choose(theme))
    label.append(input, name)
    return label
  }))

  // The menu's groups stand between a list and its items.
  const listed = () => {
    for (const list of page.querySelectorAll("[data-testid=stSidebarNavItems]")) {
      list.setAttribute("role", "none")
      for (const item of list.querySelectorAll("li"))
        if (item.parentElement !== list) item.parentElement.setAttribute("role", "list")
    }
  }

  // Originals, so that the other language finds them again.
  const kept = (view.newsStudioWords ??= new WeakMap())
  const ATTRIBUTES = ["aria-label", "placeholder", "title", "alt"]
  const NAMED = ATTRIBUTES.map((name) => `[${name}]`).join() + ", [data-icon]"
  const MARKED = /:[a-z-]+\\[|:material\\//
  const bare = (label) => label
    .replace(/:material\\/\\w+:/g, "")
    .replace(/:color\\[.\\]\\{[^}]*\\}/g, "")
    .replace(/:[a-z-]+\\[((?:\\\\.|[^\\]\\\\])*)\\]/g, "$1")
    .replace(/\\*\\*/g, "").replace(/\\\\(.)/g, "$1").trim()
  const ADDED = /^(Add: |Select all|No results)/
  const FRAME = "[data-testid^=stFileUploader], [data-testid=InputInstructions],"
    + " [data-testid=stSkipToContent],"
    + " [role=listbox], [data-testid=stStatusWidget], [data-testid=stDataFrameColumnMenu],"
    + " [data-testid=stTooltipContent], [data-testid=stElementToolbar]"
  const translated = (text) => {
    const trimmed = text.trim()
    if (!trimmed) return text
    if (data.words[trimmed]) return data.words[trimmed]
    const limit = /^(\\d+)\\s?([KMGT]B) per file(.*)$/.exec(trimmed)
    if (limit && data.limit) return data.limit.replace("{}", limit[1] + limit[2]) + limit[3]
    const begin = Object.keys(data.beginnings).find((each) => trimmed.startsWith(each))
    return begin ? data.beginnings[begin] + trimmed.slice(begin.length) : text
  }
  const change = (node, name, now, write) => {
    const before = kept.get(node) ?? {}
    const original = before[name]?.shown === now ? before[name].original : now
    const shown = translated(original)
    kept.set(node, { ...before, [name]: { original, shown } })
    if (shown !== now) write(shown)
  }
  const rename = (element) => {
    if (/ icon$/.test(element.getAttribute("aria-label") ?? "") || element.dataset?.icon) {
      const icon = (element.dataset.icon ??= element.getAttribute("aria-label").replace(/ icon$/, ""))
      const name = data.icons[icon]
      name ? element.setAttribute("aria-label", name) : element.removeAttribute("aria-label")
      element.toggleAttribute("aria-hidden", !name)
      if (!name) { element.setAttribute("aria-hidden", "true"); element.removeAttribute("role") }
      return
    }
    for (const name of ATTRIBUTES) {
      let now = element.getAttribute(name)
      // Streamlit says a label as it was written, with the marks of its Markdown.
      if (name === "aria-label" && now && MARKED.test(now)) {
        now = bare(now)
        element.setAttribute(name, now)
      }
      // A value of ours, typed or stored, may read like one of Streamlit's: only its own parts are renamed.
      if (now && (name !== "title" || element.closest(FRAME)))
        change(element, name, now, (text) => element.setAttribute(name, text))
    }
  }
  const read = (root) => {
    if (root.nodeType === 3) root = root.parentElement
    if (!root?.querySelectorAll) return
    if (root.closest?.("svg")) return
    for (const element of [root, ...root.querySelectorAll(NAMED)])
      if (!element.closest("svg")) rename(element)
    const frames = root.closest(FRAME) ? [root] : root.querySelectorAll(FRAME)
    for (const frame of frames) {
      const walker = page.createTreeWalker(frame, 4)
      while (walker.nextNode()) {
        const node = walker.currentNode
        // Options are ours but for what Streamlit adds to them.
        const original = kept.get(node)?.text?.original ?? node.nodeValue
        if (node.parentElement.closest("[role=option]") && !ADDED.test(original)) continue
        change(node, "text", node.nodeValue, (text) => { node.nodeValue = text })
      }
    }
  }
  // One at a time: two in two languages would undo each other for ever.
  view.newsStudioObserver?.disconnect()
  const observer = view.newsStudioObserver = new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes)
      type === "childList" ? addedNodes.forEach(read) : read(target)
    listed()
    observer.takeRecords()
  })
  read(page.body)
  listed()
  observer.observe(page.body, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES,
  })
  return () => { observer.disconnect(); view.newsStudioTurned() }
}
""",
)


def dress_page(pages: Sequence[str]) -> None:
    """Set language, names and styles of the page in the browser, and let the reader choose the theme.

    Args:
        pages: addresses of all pages, for which the choice holds.
    """
    light, dark = colors.QUIET
    styles = STYLES.replace("QUIET_LIGHT", light).replace("QUIET_DARK", dark)
    st.html(f"<style>{styles}</style>")
    is_chinese = current_language.get() == "zh"
    _APPEARANCE(
        key="appearance",
        data={
            "lang": say("zh-CN", "en"),
            "pages": ["", *pages],
            "label": say("外观", "Appearance"),
            "themes": [
                ["System", say("跟随系统", "System")],
                ["Light", say("浅色", "Light")],
                ["Dark", say("深色", "Dark")],
            ],
            "words": _WORDS if is_chinese else {},
            "beginnings": _BEGINNINGS if is_chinese else {},
            "limit": say("每个文件最多 {}", ""),
            "icons": {icon: say(*names) for icon, names in _ICONS.items()},
        },
        height="content",
        on_turned_change=_redrawn,
    )


def _redrawn() -> None:
    """Leave the new colours to the run that follows."""
