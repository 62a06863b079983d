/** Runs before each test file: with EMBEDMILL_SEED, every property of fast-check uses that seed. */
const seed = process.env['EMBEDMILL_SEED'] ?? '';
if (seed !== '') {
  if (!/^-?\d{1,10}$/.test(seed)) throw new Error(`EMBEDMILL_SEED is ${seed}; it must be a whole number`);
  // Loaded only here, because most files have no properties.
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
}

export {};
