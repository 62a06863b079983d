import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { pacedBytes } from './body-pace.ts';

const whole = async (body: IncomingMessage, pace: Parameters<typeof pacedBytes>[1]) => {
  let bytes = 0;
  for await (const chunk of pacedBytes(body, pace)) bytes += chunk.length;
  return bytes;
};
const aBody = () => new IncomingMessage(new Socket());

test('a body that drips is aborted, whatever it has already sent', async () => {
  const body = aBody();
  body.push(Buffer.alloc(5000));
  const drip = setInterval(() => body.push(Buffer.from('x')), 5);
  await expect(whole(body, { bytesPerSecond: 1000, windowMs: 100 })).rejects.toMatchObject({
    code: 'body_too_slow',
    status: 408,
  });
  clearInterval(drip);
});

test('a fast body that never ends is aborted once its time is over', async () => {
  const body = aBody();
  const flow = setInterval(() => body.push(Buffer.alloc(1000)), 2);
  const pace = { bytesPerSecond: 1, windowMs: 1000, totalMs: 200 };
  await expect(whole(body, pace)).rejects.toMatchObject({ code: 'body_too_slow' });
  clearInterval(flow);
});

test('a small body need not fill a stretch, and the time of whoever reads it does not count', async () => {
  const body = aBody();
  body.push(Buffer.from('{}'));
  setTimeout(() => body.push(null), 20);
  expect(await whole(body, { bytesPerSecond: 1000, windowMs: 10_000 })).toBe(2);
  const read = aBody();
  for (let n = 0; n < 3; n += 1) read.push(Buffer.alloc(10));
  read.push(null);
  let bytes = 0;
  for await (const chunk of pacedBytes(read, { bytesPerSecond: 1000, windowMs: 50 })) {
    await new Promise((resolve) => setTimeout(resolve, 80));
    bytes += chunk.length;
  }
  expect(bytes).toBe(30);
});
