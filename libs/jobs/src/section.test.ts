import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopiedSections, sectionAt, sectionSequence, sectionsOf } from './section.ts';

test('a source has few sections, each as large as all before it, and each with a place before the next', () => {
  expect(sectionsOf(100, 100)).toEqual([{ offset: 0, after: 0 }]);
  expect(sectionsOf(801, 100).map(({ offset }) => offset)).toEqual([0, 100, 200, 400, 800]);
  expect(sectionsOf(801, 100).map(({ after }) => after)).toEqual([0, 2, 4, 6, 8]);
  expect(sectionsOf(1e12).length).toBeLessThan(20);
});

test('each byte lies in one section, in order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 60 }), (bytes, first) => {
      const sections = sectionsOf(bytes, first);
      let before = 0;
      for (let byte = 0; byte < bytes; byte += 1) {
        const section = sectionAt(sections, byte);
        expect([before, before + 1]).toContain(section);
        expect(sections[section]?.offset).toBeLessThanOrEqual(byte);
        before = section;
      }
      expect(before).toBe(sections.length - 1);
    }),
  );
});

test('lines that are copied keep the sequences of their sections, also when they are copied again', () => {
  const lines = fc.array(fc.record({ length: fc.integer({ min: 1, max: 40 }), isCopied: fc.boolean() }));
  fc.assert(
    fc.property(lines, fc.integer({ min: 1, max: 200 }), (all, first) => {
      let end = 0;
      let source = all.map(({ length, isCopied }) => ({
        offset: (end += length) - length,
        length,
        isCopied,
      }));
      let sections: ReturnType<typeof sectionsOf> | undefined = sectionsOf(end, first);
      const sequencesOf = () =>
        source.map(({ offset }) => sectionSequence({ sequence: 7, sections }, sectionAt(sections, offset)));
      for (let round = 0; round < 2; round += 1) {
        const expected = sequencesOf().filter((_, n) => source[n]?.isCopied);
        const copied: CopiedSections = new CopiedSections(sections);
        let to = 0;
        source = source
          .filter(({ isCopied }) => isCopied)
          .map(({ offset, length }) => {
            copied.add(offset, length + 1);
            to += length + 1;
            return { offset: to - length - 1, length, isCopied: true };
          });
        sections = copied.sections;
        expect(sequencesOf()).toEqual(expected);
      }
    }),
  );
});
