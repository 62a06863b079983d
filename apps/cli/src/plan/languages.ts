import type { Language } from '@embedmill/jobs';
import { BYTES_A_TOKEN } from './costs.ts';

/** The size of text in a language. */
export interface Writing {
  /** Characters (code points), white space included. */
  readonly tokensPerCharacter: number;
  /** UTF-8 bytes. */
  readonly bytesPerToken: number;
}

/** Measured: English, French and German 0.24, 0.25, 0.24 tokens a character. */
const LATIN: Writing = { tokensPerCharacter: 0.24, bytesPerToken: BYTES_A_TOKEN };

/**
 * By the vocabulary of XLM-R, which multilingual-e5 and bge-m3 have; for English, BERT's gives the same. Measured on
 * the paragraphs of the Debian Administrator's Handbook in each language (the Debian package `debian-handbook`);
 * Chinese in simplified and traditional characters has 0.59 and 0.63 tokens a character, 4.24 and 3.95 bytes a token.
 * The handbook has no Thai, which was measured on some 500 sentences of the messages of apt, dpkg, GLib and GTK
 * (`/usr/share/locale/th`).
 */
const WRITINGS: Partial<Record<Language, Writing>> = {
  arabic: { tokensPerCharacter: 0.31, bytesPerToken: 5.6 },
  chinese: { tokensPerCharacter: 0.6, bytesPerToken: 4.1 },
  danish: LATIN,
  dutch: LATIN,
  english: LATIN,
  french: LATIN,
  german: LATIN,
  italian: LATIN,
  japanese: { tokensPerCharacter: 0.48, bytesPerToken: 5.5 },
  korean: { tokensPerCharacter: 0.47, bytesPerToken: 5 },
  norwegian: LATIN,
  portuguese: LATIN,
  russian: { tokensPerCharacter: 0.24, bytesPerToken: 7.5 },
  spanish: LATIN,
  swedish: LATIN,
  thai: { tokensPerCharacter: 0.28, bytesPerToken: 10.5 },
};

/** Undefined for a language that was neither measured nor is like a measured one. */
export const writingOf = (language: Language): Writing | undefined => WRITINGS[language];
