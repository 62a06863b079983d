import { convertToHtml, images } from 'mammoth';
import { writeHtml } from './html.ts';
import type { ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

/** Reads a Word document by its styles: headings, lists, tables. Its zip was already checked. */
export async function parseDocx(bytes: Uint8Array): Promise<ParsedDocument> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { value } = await convertToHtml(
    { buffer },
    {
      styleMap: ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh"],
      convertImage: images.imgElement(() => Promise.resolve({ src: '' })),
      externalFileAccess: false,
    },
  );
  const text = new StructuredText();
  // Notes are at the end, each with a link back to its place.
  writeHtml(value.replace(/\s*<a href="#(?:foot|end)note-ref-[^"]*">↑<\/a>/g, ''), text);
  return { title: text.firstHeading, ...text.finish(), metadata: { type: 'docx' } };
}
