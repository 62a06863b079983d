import { registerHooks } from 'node:module';

/**
 * With `NODE_OPTIONS=--import` of this file, a worker's engines are those of libs/inference/src/faulty-engine.ts: the
 * real engines, plus faults on demand.
 */
const FAULTY = new URL('../../libs/inference/src/faulty-engine.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return resolved.url.endsWith('/packages/embed/src/engine.ts') ? { ...resolved, url: FAULTY } : resolved;
  },
});
