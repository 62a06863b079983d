import PostalMime, { type Address } from 'postal-mime';
import { writeHtml } from './html.ts';
import { instant, type ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

/** Reads a message: its text, or its page where it has no text; of attachments, their names. */
export async function parseEmail(bytes: Uint8Array): Promise<ParsedDocument> {
  const {
    subject,
    from,
    to,
    date,
    text: plain,
    html,
    attachments,
  } = await PostalMime.parse(bytes, {
    maxNestingDepth: 32,
    maxHeadersSize: 1024 * 1024,
  });
  const text = new StructuredText();
  if (plain !== undefined && plain.trim() !== '') text.lines(plain);
  else if (html !== undefined) writeHtml(html, text);
  for (const { filename } of attachments) if (filename) text.item(`Attachment: ${filename}`);
  return {
    title: subject,
    ...text.finish(),
    metadata: {
      type: 'email',
      from: from && nameOf(from),
      to: to?.map(nameOf),
      created: instant(date),
    },
  };
}

function nameOf({ name, address }: Address): string {
  return address === undefined ? name : name === '' ? address : `${name} <${address}>`;
}
