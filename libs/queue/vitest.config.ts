import { defineConfig } from 'vitest/config';

/** Real processes and real brokers start slowly on a busy machine. */
export default defineConfig({ test: { testTimeout: 30_000, hookTimeout: 30_000 } });
