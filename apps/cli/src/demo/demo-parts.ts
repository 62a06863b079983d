import type { Client, Hit, Profile, SearchRequest } from '@embedmill/client';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { MULTILINGUAL_MODEL } from '../documents/language-choice.ts';

const COLLECTIONS = { english: 'embedmill-demo', chinese: 'embedmill-demo-zh' } as const;
const HITS_SHOWN = 3;

/** A collection of the demo, and what is looked for in it. */
export interface DemoPart {
  collection: string;
  profile: Profile;
  /** NDJSON. */
  documents: string;
  /** What they are. */
  about: string;
  searches: Search[];
}

/** What is looked for, in words or by example. Each finds one of `finds` among its first hits, or the demo fails. */
export interface Search {
  about: string;
  /** As it is shown. */
  asked: string;
  hits: (client: Client) => Promise<Hit[]>;
  finds: string[];
  /** None of these may be among them. */
  findsNot?: string[];
}

const ENGLISH: Search[] = [
  {
    about: 'One word, two meanings. The bank of a river, described without naming it:',
    ...english('sloping land beside a river', { mode: 'dense' }),
    finds: ['bank.n.01'],
  },
  {
    about: 'And the bank that deals with money:',
    ...english('a company that keeps deposits and lends money', { mode: 'dense' }),
    finds: ['bank.n.02'],
  },
  {
    about: 'A question finds a definition that shares no word with it:',
    ...english('why can’t I fall asleep at night?', { mode: 'dense' }),
    finds: ['insomnia.n.01'],
  },
  {
    about: 'By meaning and by words at once (hybrid), with the matching words and what each contributed:',
    ...english('a leader of a church', { sparse: ['bm25'], explain: true }),
    finds: ['clergyman.n.01'],
  },
  {
    about: 'And a query whose words mislead: no definition of a queen contains any of them:',
    ...english('a woman who rules a country', { sparse: ['bm25'], limit: 10 }),
    finds: ['queen.n.02'],
  },
  {
    about: 'The best hits compared again word by word (reranked by late interaction, with the same model):',
    ...english('someone who writes books', { rerank: true }),
    finds: ['author.n.01'],
  },
  {
    about: 'By example. King − man + woman:',
    ...analogy('king', 'man', 'woman'),
    finds: ['queen.n.02', 'queen.n.03'],
  },
  { about: 'Uncle − man + woman:', ...analogy('uncle', 'man', 'woman'), finds: ['aunt.n.01'] },
];

function english(query: string, options: SearchRequest): Pick<Search, 'asked' | 'hits'> {
  return search(COLLECTIONS.english, query, options);
}

/** In Chinese it is the default: dense and bm25. */
function chinese(query: string, options: SearchRequest = {}): Pick<Search, 'asked' | 'hits'> {
  return search(COLLECTIONS.chinese, query, options);
}

function search(collection: string, query: string, options: SearchRequest): Pick<Search, 'asked' | 'hits'> {
  return {
    asked: `“${query}”`,
    hits: async (client) => (await client.search(collection, { query, limit: HITS_SHOWN, ...options })).hits,
  };
}

/** What is to `b` as `from` is to `a`; senses of the three words themselves are left out. */
function analogy(from: string, a: string, b: string): Pick<Search, 'asked' | 'hits'> {
  return {
    asked: `${from} − ${a} + ${b}`,
    hits: async (client) => {
      const { hits } = await client.recommend(COLLECTIONS.english, {
        positive: [{ text: from }, { text: b }],
        negative: [{ text: a }],
        filter: { not: { field: 'words', in: [from, a, b] } },
        limit: HITS_SHOWN,
      });
      return hits;
    },
  };
}

const CHINESE: Search[] = [
  {
    about: '不用说出名字就能找到手机 (a phone, described without naming it):',
    ...chinese('会打电话的设备'),
    finds: ['手机'],
  },
  {
    about: '一个词，两个意思。可以吃的苹果 (apple, the one to eat):',
    ...chinese('又甜又脆、可以吃的'),
    finds: ['苹果-水果'],
  },
  {
    about: '和造手机的苹果 (and the one that makes phones):',
    ...chinese('制造手机的公司'),
    finds: ['苹果-公司'],
  },
  {
    about: '猫和狗在一起，不和汽车在一起 (cats and dogs are alike, cars are not):',
    ...alike('猫'),
    finds: ['狗'],
    findsNot: ['汽车'],
  },
  {
    about: '河边的和存钱的：英文都叫 bank (two things that English calls a bank; first the river’s)',
    ...chinese('河边的斜坡'),
    finds: ['河岸'],
  },
  {
    about: '(and the one for money):',
    ...chinese('存钱的地方'),
    finds: ['银行'],
  },
  {
    about: '繁体字、全角字母也一样 (traditional characters and full-width letters, with the matching words):',
    ...chinese('ｉＰｈｏｎｅ手機的價格', { explain: true }),
    finds: ['iphone'],
  },
  {
    about: '用英文找中文 (an English question finds Chinese):',
    ...chinese('a place to keep your money', { mode: 'dense' }),
    finds: ['银行'],
  },
  {
    about: '用中文找英文 (and a Chinese question finds English):',
    ...chinese('船长和白色的鲸鱼', { mode: 'dense', filter: { field: 'language', eq: 'en' } }),
    finds: ['moby-dick'],
  },
];

function alike(id: string): Pick<Search, 'asked' | 'hits'> {
  return {
    asked: `like ${id}`,
    hits: async (client) =>
      (await client.recommend(COLLECTIONS.chinese, { positive: [{ id }], limit: HITS_SHOWN })).hits,
  };
}

/** In the order in which they are shown. */
export const DEMO_PARTS: readonly [DemoPart, ...DemoPart[]] = [
  {
    collection: COLLECTIONS.english,
    profile: { sparse: { bm25: {}, bm42: {} }, filterable: { words: 'keyword' } },
    documents: DEMO_DOCUMENTS.english,
    about: 'some thousand senses of WordNet',
    searches: ENGLISH,
  },
  {
    collection: COLLECTIONS.chinese,
    profile: {
      model: MULTILINGUAL_MODEL,
      sparse: { bm25: { language: 'chinese' } },
      filterable: { language: 'keyword' },
    },
    documents: DEMO_DOCUMENTS.chinese,
    about: '中文: forty short texts in Chinese and English',
    searches: CHINESE,
  },
];
