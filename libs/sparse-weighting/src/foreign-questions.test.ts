import { expect, test } from 'vitest';
import type { Language } from '@embedmill/jobs';
import { analyzerOf } from './analysis.ts';
import { isForeign } from './foreign-questions.ts';

const asked = (language: Language, question: string) =>
  isForeign(analyzerOf(language, 2).terms(question), language);

test.each<[Language, string]>([
  ['chinese', 'how to configure the network'],
  ['japanese', 'the whale and its captain'],
  ['korean', 'где находится берег реки'],
  ['russian', 'where is the bank of the river'],
  ['thai', 'what a cat does in the sun'],
  ['arabic', '河岸在哪里？猫和狗在哪里'],
])('a question in another script is foreign to %s: %s', (language, question) => {
  expect(asked(language, question)).toBe(true);
});

test.each<[Language, string]>([
  ['chinese', '如何用 apt 安装 debian 的软件包'],
  ['chinese', 'dpkg-reconfigure'],
  ['chinese', 'ENOSPC error'],
  ['chinese', ''],
  ['japanese', '鯨と captain Ahab the whaler'],
  ['korean', '고양이 the cat sat down'],
  ['english', '如何安装软件包，如何配置网络'],
  ['auto', 'how to configure the network'],
  ['none', 'how to configure the network'],
])('one that has a word of its script is not foreign to %s, nor a name: %s', (language, question) => {
  expect(asked(language, question)).toBe(false);
});
