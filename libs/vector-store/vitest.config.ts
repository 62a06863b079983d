import { defineConfig } from 'vitest/config';

// Generous, because real stores, sockets and processes are at work, on machines that may do other things besides.
export default defineConfig({ test: { testTimeout: 30_000, hookTimeout: 30_000 } });
