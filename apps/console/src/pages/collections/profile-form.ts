import type { Language, Profile, ProfileInput } from '../../server/shapes.ts';

/** The fields of the form that creates a collection. */
export interface ProfileForm {
  readonly name: string;
  readonly language: Spoken;
  readonly model: string;
  readonly bm25: boolean;
  readonly bm42: boolean;
  readonly splade: boolean;
  readonly lateInteraction: boolean;
  /** Tokens; empty means the model’s limit. */
  readonly chunkSize: string;
  /** Written as `year:integer, author:keyword`. */
  readonly filterable: string;
}

/** The languages that the server can analyse, with their BCP 47 tags. */
export const LANGUAGE_TAGS = {
  english: 'en',
  chinese: 'zh',
  arabic: 'ar',
  danish: 'da',
  dutch: 'nl',
  finnish: 'fi',
  french: 'fr',
  german: 'de',
  hungarian: 'hu',
  italian: 'it',
  japanese: 'ja',
  korean: 'ko',
  norwegian: 'nb',
  portuguese: 'pt',
  romanian: 'ro',
  russian: 'ru',
  spanish: 'es',
  swedish: 'sv',
  thai: 'th',
  turkish: 'tr',
} as const satisfies Partial<Record<Language, string>>;
export type Spoken = keyof typeof LANGUAGE_TAGS | 'auto';

const ENGLISH_MODEL = 'all-MiniLM-L6-v2';
const MULTILINGUAL_MODEL = 'multilingual-e5-small-int8';
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const FIELD = /^([A-Za-z][\w.]*)\s*:\s*(keyword|text|integer|float|boolean|datetime|geo)$/;

export const NEW_PROFILE: ProfileForm = {
  name: '',
  language: 'english',
  model: ENGLISH_MODEL,
  bm25: true,
  bm42: false,
  splade: false,
  lateInteraction: false,
  chunkSize: '',
  filterable: '',
};

/** The bundled model for a language. */
export function modelFor(language: Spoken): string {
  return language === 'english' ? ENGLISH_MODEL : MULTILINGUAL_MODEL;
}

export function isName(name: string): boolean {
  return NAME.test(name);
}

export type Filterable =
  | { readonly ok: true; readonly fields: Profile['filterable'] }
  | { readonly ok: false; readonly wrong: string };

/** Parses filterable fields; on failure, names the first that is not written as `field:type`. */
export function filterableOf(text: string): Filterable {
  const fields: Profile['filterable'] = {};
  for (const part of text.split(/[,，\n]/).map((one) => one.trim())) {
    if (part === '') continue;
    const [, field, type] = FIELD.exec(part) ?? [];
    if (field === undefined || type === undefined) return { ok: false, wrong: part };
    fields[field] = type as Profile['filterable'][string];
  }
  return { ok: true, fields };
}

/** The profile to send to the server. */
export function profileOf(form: ProfileForm, filterable: Profile['filterable']): ProfileInput {
  const { language } = form;
  const chunkSize = Number(form.chunkSize);
  return {
    model: form.model,
    sparse: {
      ...(form.bm25 && { bm25: { language } }),
      ...(form.bm42 && { bm42: { language } }),
      ...(form.splade && { splade: {} }),
    },
    ...(form.lateInteraction && { lateInteraction: {} }),
    ...(chunkSize > 0 && {
      chunking: { mode: 'tokens', size: chunkSize, overlap: Math.min(32, chunkSize >> 1) },
    }),
    filterable,
  };
}
