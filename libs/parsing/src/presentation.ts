import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';
import { readXml, relationsIn } from './xml.ts';
import type { Zip } from './zip.ts';

const MOST_TITLE_CHARACTERS = 120;

/** Reads a PowerPoint presentation: each slide is a page with its title as heading, tables as rows. */
export async function parsePresentation(zip: Zip): Promise<ParsedDocument> {
  const relations = relationsIn(await zip.text('ppt/_rels/presentation.xml.rels'), 'ppt/');
  const slides: string[] = [];
  readXml(await zip.text('ppt/presentation.xml'), {
    open: (name, attributes) => {
      const target = name === 'p:sldId' ? relations.get(attributes['r:id'] ?? '') : undefined;
      if (target !== undefined) slides.push(target);
    },
  });
  const text = new StructuredText();
  for (const [n, slide] of slides.entries()) {
    text.page(n + 1);
    writeSlide(await zip.text(slide), text);
  }
  return { title: text.firstHeading, ...text.finish(), metadata: { type: 'pptx', pages: slides.length } };
}

function writeSlide(source: string, text: StructuredText): void {
  if (source === '') return;
  /** A title may be anywhere in a slide's XML, and is read first. */
  const titles: string[] = [];
  const blocks: { cells?: string[]; words?: string; level: number }[] = [];
  let isTitle = false;
  let words: string[] = [];
  let row: string[] | undefined;
  let level = 0;
  let isText = false;
  readXml(source, {
    open: (name, attributes) => {
      if (name === 'p:sp') isTitle = false;
      else if (name === 'p:ph') isTitle = /title$/i.test(attributes['type'] ?? '');
      else if (name === 'a:tr') row = [];
      else if (name === 'a:p') level = 0;
      else if (name === 'a:pPr') level = Number(attributes['lvl'] ?? 0) || 0;
      else if (name === 'a:br') words.push(' ');
      isText = name === 'a:t';
    },
    close: (name) => {
      isText = false;
      if (name === 'a:tc') row?.push(words.splice(0).join(''));
      else if (name === 'a:tr' && row !== undefined) {
        blocks.push({ cells: row, level: 0 });
        row = undefined;
      } else if (name === 'a:p' && row === undefined) {
        const whole = words.join('');
        words = [];
        if (isTitle) titles.push(whole);
        else if (whole.trim() !== '') blocks.push({ words: whole, level });
      } else if (name === 'a:p') words.push(' ');
    },
    text: (some) => {
      if (isText) words.push(some);
    },
  });
  // A slide without a title is named by its first text.
  const [first] = blocks;
  const isShort = first?.words !== undefined && first.words.length <= MOST_TITLE_CHARACTERS;
  if (titles.length === 0 && isShort) titles.push(blocks.shift()?.words ?? '');
  text.heading(1, titles.join(' '));
  for (const { cells, words: said = '', level: depth } of blocks) {
    if (cells !== undefined) text.row(cells);
    else text.item(said, depth);
  }
  text.endTable();
}
