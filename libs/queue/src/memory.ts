export interface QueueMemory {
  usedBytes: number;
  /** `maxmemory`, or what the machine has where that is not set; undefined where neither is known. */
  limitBytes: number | undefined;
  /** Whether its policy lets it drop keys, that is jobs, when memory is full. */
  evicts: boolean;
}

/** What Redis' `INFO memory` says. */
export function memoryOf(info: string): QueueMemory {
  const numberAt = (field: string): number =>
    Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return {
    usedBytes: numberAt('used_memory'),
    limitBytes: numberAt('maxmemory') || numberAt('total_system_memory') || undefined,
    evicts: /^maxmemory_policy:(\S+)/m.exec(info)?.[1] !== 'noeviction',
  };
}
