"""List names of places and companies that news titles are full of, by type. Pure."""

from collections.abc import Mapping, Sequence

NAMES: Mapping[str, Sequence[str]] = {
    "province": (
        *("河北", "山西", "辽宁", "吉林", "黑龙江", "江苏", "浙江", "安徽", "福建", "江西", "山东", "河南"),
        *("湖北", "湖南", "广东", "海南", "四川", "贵州", "云南", "陕西", "甘肃", "青海", "内蒙古", "广西"),
        *("宁夏", "新疆"),
    ),
    "city": (
        *("广州", "深圳", "杭州", "南京", "武汉", "成都", "西安", "苏州", "郑州", "长沙", "青岛", "大连"),
        *("沈阳", "哈尔滨", "长春", "济南", "合肥", "福州", "厦门", "南昌", "昆明", "贵阳", "南宁", "兰州"),
        *("太原", "石家庄", "乌鲁木齐"),
    ),
    "country": (
        *("英国", "法国", "德国", "日本", "韩国", "印度", "巴西", "加拿大", "澳大利亚", "意大利", "西班牙"),
        *("伊朗", "伊拉克", "土耳其", "埃及", "南非", "墨西哥", "阿根廷", "泰国", "越南", "新加坡", "印尼"),
        *("马来西亚", "菲律宾", "巴基斯坦"),
    ),
    "company": (
        *("华为", "小米", "腾讯", "百度", "京东", "美团", "比亚迪", "联想", "网易", "拼多多", "中兴", "格力"),
    ),
}
"""Of one type: a title that names one could as well name another."""

OTHER_PLACES = (
    *("中国", "北京", "上海", "天津", "重庆", "台湾", "西藏", "香港", "澳门", "美国", "俄罗斯", "乌克兰"),
    *("以色列", "朝鲜", "沙特", "欧盟", "欧洲", "非洲", "华盛顿", "东京", "伦敦", "巴黎", "莫斯科", "纽约"),
    "联合国",
)
"""Places whose name often stands for more than the place, so that none can take another's."""
PLACES = (*NAMES["province"], *NAMES["city"], *NAMES["country"], *OTHER_PLACES)
