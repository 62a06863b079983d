import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addedReports, isBeyond, NO_REPORTS, REPORT_KINDS, reportRoom, shardReportRoom } from './report.ts';

const room = fc.record({ reports: fc.nat(20_000), bytes: fc.nat(1e7) });
const reports = fc.record({ failures: room, warnings: room });

test('shards that come one after another and use their room never say more than their job may', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.array(reports, { maxLength: 50 }), (most, shards) => {
      let said = NO_REPORTS;
      for (const wanted of shards) {
        const left = shardReportRoom(reportRoom(most), said);
        const written = (kind: 'failures' | 'warnings') => ({
          reports: Math.min(wanted[kind].reports, left[kind].reports),
          bytes: Math.min(wanted[kind].bytes, left[kind].bytes),
        });
        said = addedReports(said, { failures: written('failures'), warnings: written('warnings') });
      }
      return REPORT_KINDS.every((kind) => !isBeyond(said[kind], reportRoom(most)));
    }),
  );
});

test('a job that has said all leaves no room, and none that is negative', () => {
  const said = { failures: { reports: 11, bytes: 9e9 }, warnings: { reports: 0, bytes: 0 } };
  expect(shardReportRoom(reportRoom(10), said)).toEqual({
    failures: { reports: 0, bytes: 0 },
    warnings: { reports: 10, bytes: 4000 },
  });
});
