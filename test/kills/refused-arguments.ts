import { expect } from 'vitest';
import type { Embedmill } from '../embedmill.ts';

/** Runs a command with each list of arguments: each must fail and say why. */
export async function expectRefused(
  mill: Embedmill,
  command: string,
  cases: readonly (readonly [args: readonly string[], message: string])[],
): Promise<void> {
  for (const [args, message] of cases) {
    const { code, stderr } = await mill.cli(command, ...args);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  }
}
