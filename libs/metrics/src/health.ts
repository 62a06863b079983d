/** Resolves if the part is healthy; rejects with the fault if it is not. */
export type Check = () => Promise<void>;

export interface HealthReport {
  ok: boolean;
  parts: Record<string, { ok: boolean; detail?: string }>;
}

/** Runs the checks concurrently; one that takes longer than `timeoutMs` counts as failed. */
export async function runChecks(checks: Record<string, Check>, timeoutMs = 2000): Promise<HealthReport> {
  const parts = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check, timeoutMs)] as const),
  );
  return { ok: parts.every(([, part]) => part.ok), parts: Object.fromEntries(parts) };
}

async function runCheck(check: Check, timeoutMs: number): Promise<{ ok: boolean; detail?: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([check(), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
