import { SaxesParser } from 'saxes';
import { fault } from './parsed-document.ts';

/** No program writes documents that nest deeper. */
const MOST_DEPTH = 1000;

export interface XmlReading {
  open?: (name: string, attributes: Readonly<Record<string, string>>) => void;
  close?: (name: string) => void;
  text?: (text: string) => void;
}

/**
 * Reads XML element by element. Only XML's five predefined entities and character references are resolved. A DOCTYPE's
 * declarations are ignored, so nothing is fetched (XXE) and nothing expands. Errors: `document_unreadable`,
 * `parsing_limit`.
 */
export function readXml(source: string, { open, close, text }: XmlReading): void {
  const parser = new SaxesParser();
  let depth = 0;
  parser.on('error', (error) => {
    throw fault('document_unreadable', `the XML in the file is damaged: ${error.message}`, error);
  });
  parser.on('opentag', ({ name, attributes }) => {
    depth += 1;
    if (depth > MOST_DEPTH)
      throw fault('parsing_limit', `the XML in the file is nested deeper than ${MOST_DEPTH} levels`);
    open?.(name, attributes as Record<string, string>);
  });
  parser.on('closetag', ({ name }) => {
    depth -= 1;
    close?.(name);
  });
  if (text !== undefined) {
    parser.on('text', text);
    parser.on('cdata', text);
  }
  parser.write(source).close();
}

/** The text of the first element of each of these names. */
export function textsIn(source: string, names: readonly string[]): Record<string, string | undefined> {
  const found: Record<string, string | undefined> = {};
  let inside: string | undefined;
  if (source === '') return found;
  readXml(source, {
    open: (name) => {
      if (names.includes(name) && found[name] === undefined) found[(inside = name)] = '';
    },
    close: (name) => {
      if (name === inside) inside = undefined;
    },
    text: (text) => {
      if (inside !== undefined) found[inside] += text;
    },
  });
  return found;
}

/** The targets of an Office part's relationships, by their ids, as paths from the root of the zip. */
export function relationsIn(source: string, folder: string): Map<string, string> {
  const targets = new Map<string, string>();
  if (source === '') return targets;
  readXml(source, {
    open: (name, { Id, Target, TargetMode }) => {
      if (name !== 'Relationship' || Id === undefined || Target === undefined || TargetMode === 'External')
        return;
      targets.set(Id, resolved(Target, folder));
    },
  });
  return targets;
}

/** Resolves a path in a zip relative to the folder of the file that refers to it. */
export function resolved(target: string, folder: string): string {
  return new URL(target, `zip:///${folder}`).pathname.slice(1);
}
