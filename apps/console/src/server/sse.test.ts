import { expect, test } from 'vitest';
import { readEvents, takeEvents } from './sse.ts';

test('only whole events are taken, and comments are none', () => {
  const { events, rest } = takeEvents(
    ': here\n\nevent: progress\ndata: {"a":1}\n\ndata: b\ndata: c\n\nevent: en',
  );
  expect(events).toEqual([
    { event: 'progress', data: '{"a":1}' },
    { event: 'message', data: 'b\nc' },
  ]);
  expect(rest).toBe('event: en');
});

test('events come through however the bytes are cut', async () => {
  const bytes = new TextEncoder().encode('event: progress\ndata: "中文"\n\nevent: end\ndata: {}\n\n');
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  let signs = 0;
  const events = [];
  for await (const event of readEvents(body, () => (signs += 1))) events.push(event);
  expect(events).toEqual([
    { event: 'progress', data: '"中文"' },
    { event: 'end', data: '{}' },
  ]);
  expect(signs).toBe(bytes.length);
});
