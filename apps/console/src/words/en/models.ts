/** English texts of the models pages. */
export const models = {
  'models.what': 'The models for collections, and their state on the workers.',
  'models.dense': 'Meaning (dense vectors)',
  'models.sparse': 'Words (sparse vectors)',
  'models.reranker': 'Rerankers',
  'models.dims': 'Dimensions',
  'models.reads': 'Reads',
  'models.tokens': '{tokens} tokens',
  'models.size': 'Size',
  'models.calibrated': 'Measured by embedmill bench --calibrate',
  'models.many': 'many languages',
  'models.bundled': 'bundled',
  'models.here': 'available',
  'models.remote': 'downloaded when used',
} as const;
