import { deflateRawSync } from 'node:zlib';

/** Minimal files like those that programs write. */

/** A zip of these entries; `declared` is the unpacked size that each one claims. */
export function zipOf(entries: Record<string, Buffer | string>, declared?: number): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const plain = Buffer.from(content);
    const packed = deflateRawSync(plain);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(20, 4);
    head.writeUInt16LE(8, 8);
    head.writeUInt32LE(packed.length, 18);
    head.writeUInt32LE(declared ?? plain.length, 22);
    head.writeUInt16LE(name.length, 26);
    const place = Buffer.alloc(46);
    place.writeUInt32LE(0x02014b50, 0);
    place.writeUInt16LE(20, 4);
    place.writeUInt16LE(20, 6);
    place.writeUInt16LE(8, 10);
    place.writeUInt32LE(packed.length, 20);
    place.writeUInt32LE(declared ?? plain.length, 24);
    place.writeUInt16LE(name.length, 28);
    place.writeUInt32LE(offset, 42);
    central.push(place, Buffer.from(name));
    local.push(head, Buffer.from(name), packed);
    offset += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(central.length / 2, 8);
  end.writeUInt16LE(central.length / 2, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}

/** A Word document with this XML and these additional entries. */
export const word = (document: string, others: Record<string, string> = {}): Buffer =>
  zipOf({
    '[Content_Types].xml':
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
    '_rels/.rels':
      '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
    'word/document.xml': document,
    ...others,
  });

const OFFICE =
  'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"';
const WORDS = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';

/** The body of a Word document. */
export const wordBody = (body: string): string =>
  `<w:document ${WORDS}><w:body>${body}</w:body></w:document>`;

/** A workbook with one sheet of these rows. */
export const workbook = (rows: string, others: Record<string, string> = {}): Buffer =>
  zipOf({
    'xl/workbook.xml': `<workbook ${OFFICE}><sheets><sheet name="Trips" sheetId="1" r:id="r1"/></sheets></workbook>`,
    'xl/_rels/workbook.xml.rels':
      '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>',
    'xl/worksheets/sheet1.xml': `<worksheet ${OFFICE}><sheetData>${rows}</sheetData></worksheet>`,
    ...others,
  });

/** A PDF with one line and this metadata. */
export function pdfOf({ line, info = '', xmp }: { line: string; info?: string; xmp?: string }): Buffer {
  const content = `BT /F1 12 Tf 72 700 Td (${line}) Tj ET`;
  const objects = [
    `<< /Type /Catalog /Pages 2 0 R${xmp === undefined ? '' : ' /Metadata 6 0 R'} >>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    xmp === undefined
      ? 'null'
      : `<< /Type /Metadata /Subtype /XML /Length ${xmp.length} >>\nstream\n${xmp}\nendstream`,
    `<< ${info} >>`,
  ];
  let file = '%PDF-1.7\n';
  const places = objects.map((object, n) => {
    const place = file.length;
    file += `${n + 1} 0 obj\n${object}\nendobj\n`;
    return place;
  });
  const table = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
  const count = objects.length + 1;
  file += `xref\n0 ${count}\n0000000000 65535 f \n${table}`;
  file += `trailer\n<< /Size ${count} /Root 1 0 R /Info 7 0 R >>\nstartxref\n${file.indexOf('xref\n0')}\n%%EOF\n`;
  return Buffer.from(file, 'latin1');
}
