import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Job } from '@embedmill/jobs';
import { NEW_JOB } from '../testing/fake-jobs.ts';
import { ProgressDisplay, progressLine, Rates, summaryOf } from './progress.ts';
import { Terminal } from './terminal.ts';
import { bytes, clock, columnsOf, compact, cut, oneLine, table } from './text.ts';

const JOB: Job = { ...NEW_JOB, id: 'j', state: 'running' };

describe('rates', () => {
  test('are over the last ten seconds', () => {
    const rates = new Rates();
    expect(rates.at(0)).toBeUndefined();
    rates.add({ done: 0, tokens: 0 }, 0);
    expect(rates.at(500)).toBeUndefined();
    for (let second = 1; second <= 60; second++) {
      const done = second <= 40 ? second * 10 : 400 + (second - 40) * 100;
      rates.add({ done, tokens: done * 20 }, second * 1000);
    }
    const { documents, tokens } = rates.at(60_000)!;
    expect(documents).toBeCloseTo(100, 0);
    expect(tokens).toBeCloseTo(2000, -2);
  });

  test('fall while nothing happens', () => {
    const rates = new Rates();
    rates.add({ done: 0, tokens: 0 }, 0);
    rates.add({ done: 100, tokens: 0 }, 1000);
    expect(rates.at(1000)?.documents).toBe(100);
    expect(rates.at(10_000)?.documents).toBe(10);
  });
});

describe('the progress line', () => {
  test('says how far it is, how fast, how long still, and what failed', () => {
    const job = { ...JOB, documents: 4500, done: 1500, failed: 3 };
    const { bar, rest } = progressLine(job, { documents: 100, tokens: 12_345 }, 100);
    expect(bar).toBe('█'.repeat(10) + '░'.repeat(20));
    expect(rest).toBe('1,500/4,500   33%    100 docs/s  12.3k tokens/s  ETA  0:30  3 failed');
  });

  test('before the documents are counted, says what the job waits for', () => {
    expect(progressLine({ ...JOB, state: 'queued' }, undefined, 80).rest).toBe('waiting for its turn');
    expect(progressLine({ ...JOB, state: 'scanning' }, undefined, 80).rest).toBe('counting documents');
  });

  test('never is wider than asked', () => {
    const job = fc.record({
      documents: fc.nat(1e9),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      failed: fc.nat(1e6),
    });
    const rates = fc.option(fc.record({ documents: fc.nat(1e6), tokens: fc.nat(1e8) }), { nil: undefined });
    fc.assert(
      fc.property(
        job,
        rates,
        fc.integer({ min: 1, max: 300 }),
        ({ documents, share, failed }, given, width) => {
          const { bar, rest } = progressLine(
            { ...JOB, documents, done: Math.floor(documents * share), failed },
            given,
            width,
          );
          expect(columnsOf(bar) + (bar === '' ? 0 : 2) + columnsOf(rest)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});

test('without a terminal there is a line every five seconds, when something changed', () => {
  let written = '';
  const output = { write: (text: string) => (written += text) };
  const display = new ProgressDisplay(new Terminal(output, output, { json: false, noColor: true }));
  for (let second = 0; second <= 20; second++) {
    display.update({ ...JOB, documents: 100, done: Math.min(second, 8) }, second * 1000);
  }
  display.close();
  expect(written.match(/^\d+\/100/gm)).toEqual(['0/100', '5/100', '8/100', '8/100', '8/100']);
});

test('the summary of a job counts every document once', () => {
  const job = {
    ...JOB,
    documents: 12,
    done: 12,
    stored: 5,
    skipped: 2,
    failed: 2,
    duplicates: 1,
    superseded: 2,
    seconds: 2,
    tokens: 5000,
  };
  expect(summaryOf(job)).toBe(
    '12 of 12 documents: 5 stored, 2 unchanged, 1 replaced by a later one, ' +
      '2 superseded by a later submission, 2 failed; ' +
      '0 chunks, 5,000 tokens in 2.0 s (6.0 docs/s, 2.5k tokens/s)',
  );
});

describe('text in a terminal', () => {
  test('is cut to its columns, wide characters counted', () => {
    expect(cut('abcdef', 6)).toBe('abcdef');
    expect(cut('abcdef', 5)).toBe('abcd…');
    expect(cut('日本語です', 6)).toBe('日本…');
    expect(columnsOf('é日e\u0301')).toBe(4);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, columns) => {
        expect(columnsOf(cut(text, columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  test('cannot steer the terminal', () => {
    expect(oneLine('a\u001b[31m red\r\n\tb\u0007')).toBe('a[31m red b');
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/\p{Cc}/u.test(oneLine(text))));
  });

  test('tables align', () => {
    expect(
      table(
        [
          ['NAME', 'N'],
          ['a', '1,000'],
          ['日本', '1'],
        ],
        [1],
      ),
    ).toEqual(['NAME      N', 'a     1,000', '日本      1']);
  });

  test('numbers are short', () => {
    expect([0, 0.44, 9.96, 12, 999.4, 12_345, 123_456, 999_900].map(compact)).toEqual([
      ...['0.0', '0.4', '10.0', '12', '999', '12.3k', '123k', '1.0M'],
    ]);
    expect([0, 7, 75, 3723].map(clock)).toEqual(['0:00', '0:07', '1:15', '1:02:03']);
    expect([999, 1000, 999_950, 1.5e9].map(bytes)).toEqual(['999 B', '1.0 kB', '1.0 MB', '1.5 GB']);
  });
});
