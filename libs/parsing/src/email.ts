import PostalMime, { type Address } from 'postal-mime';
import { writeHtml } from './html.ts';
import { instant } from './dates.ts';
import { fault, type ParsedDocument } from './parsed-document.ts';
import { StructuredText } from './structured-text.ts';

/** Reads a message: its text, or its HTML if it has no text, and the names of its attachments. */
export async function parseEmail(bytes: Uint8Array): Promise<ParsedDocument> {
  const {
    subject,
    from,
    to,
    headers,
    text: plain,
    html,
    attachments,
  } = await PostalMime.parse(messageIn(bytes), {
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
      created: instant(headers.find(({ key }) => key === 'date')?.value),
    },
  };
}

function nameOf({ name, address }: Address): string {
  return address === undefined ? name : name === '' ? address : `${name} <${address}>`;
}

/**
 * Removes what may precede a message: a byte order mark, empty lines, the line that mailboxes put before each message.
 */
function messageIn(bytes: Uint8Array): Uint8Array {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = source.subarray(0, 4096).toString('latin1');
  const [before = ''] = /^(?:\xef\xbb\xbf)?\s*(?:From [^\r\n]*\r?\n)?/.exec(head) ?? [];
  if (
    before.includes('From ') &&
    /\n\r?\nFrom \S+ [^\r\n]*\d{4}\r?\n[A-Za-z-]+:/.test(source.toString('latin1'))
  )
    throw fault('unsupported_document', 'the file is a mailbox of several messages; save each as .eml');
  return source.subarray(before.length);
}
