import type { DocumentReport, MoreReports, ReportRoom } from '@embedmill/jobs';

/**
 * One shard's reports on its documents in one file: one report per line, and at the end how many more there was no room
 * for.
 */
export interface ShardReports {
  /** Lines of NDJSON, including line ends. */
  lines: Buffer[];
  more: number;
}

const NEWLINE = 0x0a;
const MORE = Buffer.from('{"more":');

/** The first lines that fit into the room, and the room that they take. */
export function withinRoom(
  { lines, more }: ShardReports,
  room: ReportRoom,
): ShardReports & { written: ReportRoom } {
  const written: ReportRoom = { reports: 0, bytes: 0 };
  for (const { length } of lines) {
    if (written.reports === room.reports || written.bytes + length > room.bytes) break;
    written.reports += 1;
    written.bytes += length;
  }
  return {
    lines: lines.slice(0, written.reports),
    more: more + lines.length - written.reports,
    written,
  };
}

export function reportLine(report: DocumentReport | MoreReports): Buffer {
  return Buffer.from(`${JSON.stringify(report)}\n`);
}

export function bytesOf({ lines, more }: ShardReports): Buffer {
  return Buffer.concat(more === 0 ? lines : [...lines, reportLine({ more })]);
}

export function shardReportsIn(bytes: Buffer): ShardReports {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, start);
    const next = end === -1 ? bytes.length : end + 1;
    lines.push(bytes.subarray(start, next));
    start = next;
  }
  const last = lines.at(-1);
  if (last?.subarray(0, MORE.length).equals(MORE) !== true) return { lines, more: 0 };
  const { more } = JSON.parse(last.toString('utf8')) as MoreReports;
  return { lines: lines.slice(0, -1), more };
}

export function reportsIn({ lines }: ShardReports): DocumentReport[] {
  return lines.map((line) => JSON.parse(line.toString('utf8')) as DocumentReport);
}
