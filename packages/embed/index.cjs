// For require(): all that this package does it does later, so the module itself can be loaded then.
const load = () => import('./dist/index.js');

exports.createEmbedder = async (options) => (await load()).createEmbedder(options);

exports.embed = async function* embed(texts, options) {
  yield* (await load()).embed(texts, options);
};

exports.embedOne = async (text, options) => (await load()).embedOne(text, options);
