import { decodedText, isText } from './decoded-text.ts';
import { fault } from './parsed-document.ts';

/** The kind of a file by its bytes; `zip` and `ole` need a look inside. */
export type Kind = 'text' | 'markdown' | 'html' | 'code' | 'notebook' | 'pdf' | 'zip' | 'email';

const HEAD_BYTES = 4096;
const MARKDOWN_NAMES = /\.(?:md|markdown|mdx|mkd)$/i;
const HTML_NAMES = /\.(?:html?|xhtml)$/i;
const CODE_NAMES =
  /\.(?:[cm]?[jt]sx?|py|pyi|rb|go|rs|java|kt|kts|scala|swift|c|h|cc|cpp|cxx|hpp|hh|cs|php|pl|pm|lua|r|jl|sh|bash|zsh|fish|ps1|sql|ex|exs|erl|hs|ml|mli|clj|dart|groovy|m|mm|zig|nim|vue|svelte|proto|tf|css|scss|less|json|ya?ml|toml|ini|xml|gradle|cmake)$/i;

/** Kinds of files that are recognised by their first bytes, but not read. */
const UNREAD: readonly [magic: string | RegExp, what: string][] = [
  ['\x89PNG', 'a PNG image'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['GIF8', 'a GIF image'],
  [/^RIFF....WEBP/s, 'a WebP image'],
  [/^(?:II\*\0|MM\0\*)/, 'a TIFF image'],
  [/^....ftyp/s, 'a video'],
  ['\x1aE\xdf\xa3', 'a video'],
  ['\x1f\x8b', 'packed with gzip'],
  ['7z\xbc\xaf', 'a 7-Zip archive'],
  ['Rar!', 'a RAR archive'],
  ['\xfd7zXZ', 'packed with xz'],
  ['BZh', 'packed with bzip2'],
  ['\x28\xb5\x2f\xfd', 'packed with zstd'],
  ['\x7fELF', 'a program'],
  ['MZ', 'a program'],
  ['PAR1', 'Parquet, but is not named .parquet'],
  ['{\\rtf', 'RTF; save it as DOCX'],
  ['%!PS', 'PostScript; make it a PDF'],
  ['SQLite format 3', 'a database'],
];

/** Determines the kind of a file. Errors: `unsupported_document`, `document_encrypted`. */
export function kindOf(bytes: Uint8Array, name: string): Kind {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1');
  const pdf = head.slice(0, 1024).indexOf('%PDF-');
  if (pdf !== -1 && head.slice(0, pdf).trim().length < 64) return 'pdf';
  if (head.startsWith('PK\x03\x04')) return 'zip';
  if (head.startsWith('\xd0\xcf\x11\xe0')) throw compoundFault(bytes);
  const isPlain = isText(bytes);
  const unread = UNREAD.find(([magic]) => {
    const begins = typeof magic === 'string' ? head.startsWith(magic) : magic.test(head);
    // These letters may also begin a text.
    return begins && (!isPlain || magic === '{\\rtf' || magic === '%!PS');
  });
  if (unread !== undefined) throw fault('unsupported_document', `the file is ${unread[1]}`);
  if (!isPlain) throw fault('unsupported_document', 'the file is not text, and its type is not supported');
  const start = decodedText(bytes.subarray(0, HEAD_BYTES)).trimStart();
  if (isPage(start)) return 'html';
  if (isEmail(start)) return 'email';
  if (HTML_NAMES.test(name)) return 'html';
  if (/\.ipynb$/i.test(name) && start.startsWith('{')) return 'notebook';
  if (MARKDOWN_NAMES.test(name)) return 'markdown';
  if (CODE_NAMES.test(name) || start.startsWith('#!')) return 'code';
  return looksLikeMarkdown(start) ? 'markdown' : 'text';
}

function isPage(start: string): boolean {
  const begun = start.replace(/^\s*(?:<\?xml[^>]*\?>\s*|<!--[\s\S]*?-->\s*)*/, '');
  return /^<(?:!doctype\s+html|html|head|body)[\s>]/i.test(begun);
}

/** Whether the text begins with headers, including two that every message has. */
function isEmail(start: string): boolean {
  const [head = ''] = start.split(/\r?\n\r?\n/);
  const lines = head.split(/\r?\n/);
  const isHeader = (line: string) => /^[A-Za-z][A-Za-z0-9-]*:/.test(line) || /^[ \t]/.test(line);
  return (
    lines.every((line, n) => isHeader(line) || (n === 0 && line.startsWith('From '))) &&
    /^From:/im.test(head) &&
    /^(?:Date|Subject|Message-ID|Received):/im.test(head)
  );
}

function looksLikeMarkdown(start: string): boolean {
  return /^#{1,6} \S/m.test(start) && (/^#{1,6} \S.*\n\s*\n/m.test(start) || /^```/m.test(start));
}

/** Old Word, Excel and PowerPoint files, and encrypted modern ones, use the same container format. */
function compoundFault(bytes: Uint8Array): Error {
  const has = (name: string): boolean => Buffer.from(bytes).includes(Buffer.from(name, 'utf16le'));
  if (has('EncryptedPackage'))
    return fault('document_encrypted', 'the file is encrypted; save it without a password');
  if (has('__substg1.0_'))
    return fault('unsupported_document', 'the file is an Outlook message (.msg); save it as .eml');
  return fault(
    'unsupported_document',
    'the file has a Microsoft Office format from before 2007; save it as DOCX, XLSX or PPTX',
  );
}
