import { instant } from './dates.ts';
import { fault, type FileMetadata, type ParsedDocument } from './parsed-document.ts';
import { parseDocx } from './docx.ts';
import { parseEpub } from './epub.ts';
import { parseOpenDocument } from './open-document.ts';
import { parsePresentation } from './presentation.ts';
import { parseWorkbook } from './workbook.ts';
import { inline } from './structured-text.ts';
import { textsIn } from './xml.ts';
import { Zip } from './zip.ts';

const OPEN_DOCUMENTS: Readonly<Record<string, string>> = {
  text: 'odt',
  presentation: 'odp',
  spreadsheet: 'ods',
};

/** Reads formats that are zip files: Office, OpenDocument, EPUB. Errors: `ParsingFault`. */
export async function parsePacked(bytes: Uint8Array): Promise<ParsedDocument> {
  const zip = await Zip.open(bytes);
  const mimetype = (await zip.text('mimetype')).trim();
  if (mimetype === 'application/epub+zip') return parseEpub(zip);
  const [, opened] =
    /^application\/vnd\.oasis\.opendocument\.(text|presentation|spreadsheet)/.exec(mimetype) ?? [];
  if (opened !== undefined) return parseOpenDocument(zip, OPEN_DOCUMENTS[opened] ?? opened);
  // Some programs number it.
  const office = zip.names.some((name) => /^word\/document\d*\.xml$/.test(name))
    ? await parseDocx(bytes)
    : zip.has('ppt/presentation.xml')
      ? await parsePresentation(zip)
      : zip.has('xl/workbook.xml')
        ? await parseWorkbook(zip)
        : undefined;
  if (office === undefined) throw fault('unsupported_document', unreadIn(zip));
  const properties = await propertiesOf(zip);
  return {
    ...office,
    title: properties.title ?? office.title,
    metadata: { ...office.metadata, ...properties.metadata, pages: office.metadata.pages },
  };
}

/** Names an unsupported zip format, and says what to do. */
function unreadIn(zip: Zip): string {
  if (zip.has('xl/workbook.bin')) return 'the file is a binary workbook (XLSB); save it as XLSX';
  if (zip.names.some((name) => name.endsWith('.iwa')))
    return 'the file is of Pages, Numbers or Keynote; export it as DOCX, XLSX, PPTX or PDF';
  return 'the file is a zip of other files; unpack it and submit these';
}

async function propertiesOf(
  zip: Zip,
): Promise<{ title: string | undefined; metadata: Partial<FileMetadata> }> {
  const said = textsIn(await zip.text('docProps/core.xml'), [
    'dc:title',
    'dc:creator',
    'dc:language',
    'dcterms:created',
    'dcterms:modified',
  ]);
  return {
    title: inline(said['dc:title'] ?? '') || undefined,
    metadata: {
      language: said['dc:language'] || undefined,
      author: said['dc:creator'] || undefined,
      created: instant(said['dcterms:created']),
      modified: instant(said['dcterms:modified']),
    },
  };
}
