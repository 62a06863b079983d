/** Before each file of tests: with EMBEDMILL_SEED, every property of fast-check draws from that seed. */
const seed = process.env['EMBEDMILL_SEED'] ?? '';
if (seed !== '') {
  if (!/^-?\d{1,10}$/.test(seed)) throw new Error(`EMBEDMILL_SEED is ${seed}; it must be a whole number`);
  // Loaded only here: most files have no properties.
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
}

export {};
