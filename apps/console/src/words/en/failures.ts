/** What to do about documents that failed, in English. */
export const failures = {
  'todo.line': 'Mend these lines in the file, and submit it again: what is stored already is skipped.',
  'todo.encoding': 'Save the file as UTF-8, and submit it again.',
  'todo.id': 'Give each document an id of its own, or say which column it is when you submit the file.',
  'todo.text': 'Give each document a text, or say which column it is when you submit the file.',
  'todo.shorten': 'Make these documents smaller, or split them, and submit them again.',
  'todo.type': 'Make these values of the type that the collection filters them by, and submit them again.',
  'todo.foreign': 'Submit these with their owner’s key, or under their own source’s name.',
  'todo.convert': 'Save the file in a format that is read, such as PDF, DOCX, HTML or plain text.',
  'todo.damaged': 'Open the file where it was made, save it anew, and submit it again.',
  'todo.password': 'Save the file without its password, and submit it again.',
  'todo.recognize': 'Have the text recognized (OCR), and submit the file that has it.',
  'todo.vector': 'Embed these with the collection’s own model, or leave their vectors out.',
  'todo.model': 'The model does not know this script: use a collection of a multilingual model.',
  'todo.allow':
    'Put the picture into the source’s folder, or have its host allowed in the server’s settings.',
  'todo.ffmpeg': 'Install ffmpeg where the workers run, then retry.',
  'todo.duplicate': 'The last one was stored. Give each its own id if more than one is meant.',
  'todo.again': 'Submit these documents again, from where they came.',
  'todo.chunks': 'Use a collection that cuts texts into chunks if their ends matter.',
  'todo.retry': 'Nothing is wrong with these documents: retry them.',
  'todo.mend': 'Mend these documents, and submit them again.',
} as const;
