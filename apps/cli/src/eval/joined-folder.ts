import { corpusDocuments, type BeirFolder, type CorpusDocument, type Question } from './beir-folder.ts';

/** The documents and questions of an evaluation. */
export interface EvaluationTask {
  documents: () => AsyncIterable<CorpusDocument>;
  questions: readonly Question[];
}

/**
 * A folder's task. If `size` is above 1, its documents are long: each joins `size` texts of the corpus in order, and is
 * as relevant to a question as the most relevant of them. This measures how texts are cut into chunks.
 */
export async function taskOf({ corpus, questions }: BeirFolder, size: number): Promise<EvaluationTask> {
  if (size === 1) return { documents: () => corpusDocuments(corpus), questions };
  const names = new Map<string, string>();
  for await (const group of groupsOf(corpus, size)) {
    for (const { id } of group) names.set(id, nameOf(group));
  }
  return {
    documents: async function* () {
      for await (const group of groupsOf(corpus, size))
        yield { id: nameOf(group), text: group.map(({ text }) => text).join(' ') };
    },
    questions: questions.map((question) => {
      const relevance = new Map<string, number>();
      for (const [id, grade] of question.relevance) {
        const name = names.get(id) ?? id;
        relevance.set(name, Math.max(grade, relevance.get(name) ?? grade));
      }
      return { ...question, relevance };
    }),
  };
}

const nameOf = (group: readonly CorpusDocument[]): string => `joined ${group[0]?.id ?? ''}`;

async function* groupsOf(corpus: string, size: number): AsyncGenerator<CorpusDocument[]> {
  let group: CorpusDocument[] = [];
  for await (const document of corpusDocuments(corpus)) {
    group.push(document);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
