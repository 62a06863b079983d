/** Server-sent events out of a body: what is needed of the format, for a stream that wants a key with it. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The events of a text as far as they are whole, and the rest of it. */
export function takeEvents(text: string): { events: ServerEvent[]; rest: string } {
  const blocks = text.replaceAll('\r\n', '\n').split('\n\n');
  const rest = blocks.pop() ?? '';
  return { events: blocks.flatMap(eventOf), rest };
}

function eventOf(block: string): ServerEvent[] {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^(event|data): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? [] : [{ event, data: data.join('\n') }];
}

/** The events of a body as they come. `onBytes` is told of every sign of life, comments among them. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      const { events, rest } = takeEvents(pending + decoder.decode(value, { stream: true }));
      pending = rest;
      yield* events;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
