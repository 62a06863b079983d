/** Chinese texts of the models pages. */
export const models = {
  'models.what': '集合可以使用的模型，以及工作进程的加载情况。',
  'models.dense': '语义（稠密向量）',
  'models.sparse': '词语（稀疏向量）',
  'models.reranker': '重排模型',
  'models.dims': '维数',
  'models.reads': '读取长度',
  'models.tokens': '{tokens} 词元',
  'models.size': '大小',
  'models.calibrated': '由 embedmill bench --calibrate 测得',
  'models.many': '多语言',
  'models.bundled': '内置',
  'models.here': '已在本地',
  'models.remote': '使用时下载',
};
