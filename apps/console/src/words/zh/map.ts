/** What is said on the page map, in Chinese. */
export const map = {
  'map.what': '把集合画成图：含义相近的在图上也相近。',
  'map.label': '地图。方向键移动，+ 和 − 缩放。',
  'map.none': '此集合还没有地图',
  'map.none.what': '计算一次后会保存，之后可以把新文档放上去。',
  'map.compute': '计算地图',
  'map.computing': '正在计算地图',
  'map.points': '{total} 个文本块中的 {points} 个',
  'map.update': '放置新文档',
  'map.again': '重新计算',
  'map.search': '点亮搜索结果',
  'map.colour': '颜色依据',
  'map.cluster': '聚类',
  'map.without': '无',
  'map.lasso': '套索',
  'map.chosen': '图上选中的',
  'map.clear': '清除',
};
