/** English advice about failed documents. */
export const failures = {
  'todo.line': 'Fix these lines in the file and submit it again; stored documents are skipped.',
  'todo.encoding': 'Save the file as UTF-8 and submit it again.',
  'todo.id': 'Give each document an id, or map the id’s column when you submit the file.',
  'todo.text': 'Give each document a text, or map the text’s column when you submit the file.',
  'todo.shorten': 'Shorten or split these documents and submit them again.',
  'todo.type': 'Change these values to the type by which the collection filters them, and submit them again.',
  'todo.foreign': 'Submit these with their tenant’s key, or under their own source’s name.',
  'todo.convert': 'Save the file in a supported format, such as PDF, DOCX, HTML or plain text.',
  'todo.damaged': 'Open the file in the program that created it, save it again, and submit it again.',
  'todo.password': 'Save the file without its password and submit it again.',
  'todo.recognize': 'Run text recognition (OCR) on the file and submit the result.',
  'todo.vector': 'Embed these with the collection’s own model, or leave out their vectors.',
  'todo.model': 'The model does not know this script: use a collection with a multilingual model.',
  'todo.allow':
    'Put the image into the source’s folder, or have its host allowed in the server’s settings.',
  'todo.ffmpeg': 'Install ffmpeg on the machines of the workers, then retry.',
  'todo.duplicate': 'The last one was stored. If they are different documents, give each its own id.',
  'todo.again': 'Submit these documents again from their origin.',
  'todo.chunks': 'If the ends of the texts matter, use a collection that splits texts into chunks.',
  'todo.retry': 'Nothing is wrong with these documents: retry them.',
  'todo.mend': 'Fix these documents and submit them again.',
} as const;
