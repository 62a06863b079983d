import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Tokenizer } from '@embedmill/tokenization';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { writingOf } from './languages.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');

/** Prose of the demo and of the Chinese README; the estimates come from other texts. */
async function measured(texts: string[]) {
  const path = join(ROOT, 'models/multilingual-e5-small-int8/tokenizer.json.gz');
  const tokenizer = await Tokenizer.load({ path, maxTokens: 512 });
  const encoded = await tokenizer.encode(texts, 'document');
  const tokens = encoded.reduce((sum, one) => sum + one.tokens - 2, 0);
  return {
    tokensPerCharacter: tokens / texts.reduce((sum, text) => sum + [...text].length, 0),
    bytesPerToken: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / tokens,
  };
}

test('English text has about as many tokens and bytes as planned', async () => {
  const lines = readFileSync(DEMO_DOCUMENTS.english, 'utf8').trimEnd().split('\n');
  const found = await measured(lines.map((line) => (JSON.parse(line) as { text: string }).text));
  const planned = writingOf('english')!;
  expect(Math.abs(found.tokensPerCharacter / planned.tokensPerCharacter - 1)).toBeLessThan(0.25);
  expect(Math.abs(found.bytesPerToken / planned.bytesPerToken - 1)).toBeLessThan(0.25);
});

test('Chinese text has about as many tokens and bytes as planned', async () => {
  const prose = readFileSync(join(ROOT, 'README.zh-CN.md'), 'utf8')
    .split('\n')
    .filter((line) => (line.match(/\p{Script=Han}/gu)?.length ?? 0) > 0.5 * line.length);
  expect(prose.length).toBeGreaterThan(5);
  const found = await measured(prose);
  const planned = writingOf('chinese')!;
  expect(Math.abs(found.tokensPerCharacter / planned.tokensPerCharacter - 1)).toBeLessThan(0.25);
  expect(Math.abs(found.bytesPerToken / planned.bytesPerToken - 1)).toBeLessThan(0.25);
});

const THAI = [
  'แม่น้ำสายใหญ่ไหลผ่านกลางเมืองเก่า เด็กๆ ว่ายน้ำเล่นอยู่ริมฝั่งทุกเย็น ส่วนพ่อค้าแม่ค้าก็นั่งขายผลไม้และขนมอยู่ใต้ต้นไม้ใหญ่หน้าวัด',
  'โทรศัพท์มือถือเครื่องใหม่มีแบตเตอรี่ที่ใช้ได้นานสองวัน กล้องถ่ายภาพตอนกลางคืนได้ชัดเจน และราคาถูกกว่ารุ่นเดิมเล็กน้อย',
  'ธนาคารแจ้งว่าลูกค้าสามารถเปลี่ยนรหัสผ่านได้ด้วยตนเองที่หน้าเว็บไซต์ โดยต้องกรอกหมายเลขบัตรประจำตัวประชาชนและวันเดือนปีเกิดให้ถูกต้อง',
];

test('Thai text has about as many tokens and bytes as planned', async () => {
  const found = await measured(THAI);
  const planned = writingOf('thai')!;
  expect(Math.abs(found.tokensPerCharacter / planned.tokensPerCharacter - 1)).toBeLessThan(0.25);
  expect(Math.abs(found.bytesPerToken / planned.bytesPerToken - 1)).toBeLessThan(0.25);
});
