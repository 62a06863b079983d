/** What is said on the page models, in English. */
export const models = {
  'models.what': 'What collections can be made with, and how far workers have it.',
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
  'models.here': 'here',
  'models.remote': 'downloaded when used',
} as const;
