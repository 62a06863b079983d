import { asEmbedmillError, EmbedmillError } from '@embedmill/jobs';
import { parseCode } from './code.ts';
import { decodedText } from './decoded-text.ts';
import { kindOf } from './kind.ts';
import { languageOf } from './language.ts';
import { fault, type FileToParse, type ParsedDocument } from './parsed-document.ts';
import { parseHtml } from './html.ts';
import { parseMarkdown } from './markdown.ts';
import { parseText } from './plain-text.ts';

/**
 * Reads a file as a document. Its content determines its kind, or its name if the content is ambiguous. Errors: those
 * of `ParsingFault`.
 */
export async function parseFile(file: FileToParse): Promise<ParsedDocument> {
  let parsed: ParsedDocument;
  try {
    parsed = await parsedAs(file);
  } catch (thrown) {
    throw asFault(thrown);
  }
  if (parsed.text.trim() === '') throw fault('empty_text', 'the file has no text');
  const { text, structure, metadata } = parsed;
  // A file's own metadata takes precedence over guesses.
  if (metadata.type !== 'code') metadata.language ??= await languageOf(text, structure.blocks);
  return parsed;
}

async function parsedAs({ bytes, name }: FileToParse): Promise<ParsedDocument> {
  switch (kindOf(bytes, name)) {
    case 'text':
      return parseText(decodedText(bytes));
    case 'markdown':
      return parseMarkdown(decodedText(bytes));
    case 'html':
      return parseHtml(decodedText(bytes));
    case 'code':
      return parseCode(decodedText(bytes), name);
    case 'notebook':
      return (await import('./notebook.ts')).parseNotebook(decodedText(bytes));
    case 'pdf':
      return (await import('./pdf.ts')).parsePdf(bytes);
    case 'zip':
      return (await import('./packed.ts')).parsePacked(bytes);
    case 'email':
      return (await import('./email.ts')).parseEmail(bytes);
  }
}

/** Converts a parser's error to a fault. */
function asFault(thrown: unknown): EmbedmillError {
  if (thrown instanceof EmbedmillError) return thrown;
  // Each level of nesting uses some of the stack.
  if (thrown instanceof RangeError && /call stack/i.test(thrown.message))
    return fault('parsing_limit', 'the file is nested too deeply', thrown);
  return fault(
    'document_unreadable',
    `the file is damaged: ${asEmbedmillError(thrown).message.slice(0, 300)}`,
    thrown,
  );
}
