import { chunksOf } from './lines.ts';

/** One server-sent event (HTML standard, 9.2.6): its name and data. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** The events of a stream; `onBytes` is called for everything that arrives, including comments. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let event = 'message';
  let data: string[] = [];
  for await (const bytes of chunksOf(body)) {
    onBytes();
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') };
        event = 'message';
        data = [];
        continue;
      }
      const { field, value } = fieldOf(line);
      if (field === 'event') event = value;
      if (field === 'data') data.push(value);
    }
  }
}

/** `field: value`; one space after the colon does not belong to the value. A line without a colon is only a field. */
function fieldOf(line: string): { field: string; value: string } {
  const colon = line.indexOf(':');
  if (colon === -1) return { field: line, value: '' };
  return { field: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ /, '') };
}
