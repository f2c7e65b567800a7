"""List frequent characters of the same sound and tone, which an input method confuses. Pure."""

from collections.abc import Mapping

_GROUPS = (
    "在再 作做坐座 是事市式势世试室示视士 以已椅 期七妻 新心欣辛 工公功宫 进近 成城程乘 生升声 "
    "力立利历 会汇惠绘 员园原源 长常尝 经京惊精 价架驾嫁 金今斤 机鸡基积击 记计技季纪 地第弟帝 "
    "名明鸣 行形型 校笑效孝 教叫较 数树术述 电店殿 话化画划 医衣依 药要耀 球求 房防妨 费肺沸 税睡 "
    "股古骨谷鼓 游油由邮 船传 星兴腥 亮谅量辆 歌哥割 剧句具据巨聚 演眼掩 舞五午武 节杰结洁 家加佳 "
    "人仁 师失诗施湿 动洞冻 运韵孕 胜圣盛剩 负付父富妇复 队对兑 军均君 美每 中钟终忠 小晓 早澡枣 "
    "晚挽碗 下夏吓 前钱潜 后厚候 理里李礼 部布步 院愿怨 官关观 查察茶 案暗岸按 判盼叛 违围为维唯 "
    "规归龟 投头 资姿 产铲 业夜叶液 农浓 气器汽弃 保宝饱 护户互 全权泉拳 交郊胶 路陆录鹿 航杭 飞非 "
    "建见件健 设社射涉 国帼 政证正症 制治志至 现线限县 达答 调掉钓 强墙 战站占 客课克刻 报抱暴 "
    "警景井 停庭亭 首手守 冠贯惯 联连莲 研言严沿 救旧就 疫易议亿意义 苗描 病并"
)

HOMOPHONES: Mapping[str, str] = {
    sign: group.replace(sign, "") for group in _GROUPS.split(" ") for sign in group
}
"""The characters that sound like a character."""
