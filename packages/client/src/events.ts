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
  const fields = new EventFields();
  let rest = '';
  for await (const bytes of chunksOf(body)) {
    onBytes();
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = fields.add(line);
      if (event !== undefined) yield event;
    }
  }
}

/** The fields of the event whose lines are arriving. */
class EventFields {
  #event = 'message';
  #data: string[] = [];

  /** Adds a line; an empty line ends the event, which is returned if it has data. */
  add(line: string): ServerEvent | undefined {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #end(): ServerEvent | undefined {
    const ended = { event: this.#event, data: this.#data.join('\n') };
    const hasData = this.#data.length > 0;
    this.#event = 'message';
    this.#data = [];
    return hasData ? ended : undefined;
  }
}
