export interface QueueMemory {
  usedBytes: number;
  /** `maxmemory`, or the machine's memory if that is not set; undefined if neither is known. */
  limitBytes: number | undefined;
  /** Whether its policy allows it to evict keys, and so jobs, when memory is full. */
  evicts: boolean;
}

/** Parses Redis' `INFO memory`. */
export function memoryOf(info: string): QueueMemory {
  const numberAt = (field: string): number =>
    Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return {
    usedBytes: numberAt('used_memory'),
    limitBytes: numberAt('maxmemory') || numberAt('total_system_memory') || undefined,
    evicts: /^maxmemory_policy:(\S+)/m.exec(info)?.[1] !== 'noeviction',
  };
}
