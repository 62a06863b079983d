import { defineConfig } from 'vitest/config';

/** Real processes and a real Redis start slowly on a busy machine. */
export default defineConfig({
  test: { include: ['src/**/*.test.ts', 'demo/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 30_000 },
});
