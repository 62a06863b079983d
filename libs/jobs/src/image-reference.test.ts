import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseImageReference } from './image-reference.ts';

test.each([
  ['photos/cat.png', { kind: 'file', path: 'photos/cat.png' }],
  ['./a:b.png', { kind: 'file', path: './a:b.png' }],
  ['C:\\cat.png', { kind: 'file', path: 'C:\\cat.png' }],
  ['HTTPS://Example.org/Cat.png', { kind: 'url', url: 'https://example.org/Cat.png' }],
  ['data:image/png;base64,AAAA', { kind: 'data', mediaType: 'image/png', base64: true, data: 'AAAA' }],
  ['data:image/PNG;name=a;BASE64,AA,A', { kind: 'data', mediaType: 'image/png', base64: true, data: 'AA,A' }],
  ['data:,%00', { kind: 'data', mediaType: '', base64: false, data: '%00' }],
])('%s is told for what it is', (text, reference) => {
  expect(parseImageReference(text)).toEqual({ ok: true, reference });
});

test.each(['ftp://example.org/a.png', 'file:///etc/passwd', 'javascript:1', 'http://', 'data:image/png'])(
  '%s is refused, and why is said',
  (text) => {
    expect(parseImageReference(text)).toEqual({ ok: false, message: expect.stringMatching(/\w/) });
  },
);

test('whatever the text, it gives a reference or a reason, and never throws', () => {
  const text = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.string().map((rest) => `data:${rest}`),
    fc.string().map((rest) => `http://${rest}`),
  );
  fc.assert(fc.property(text, (given) => typeof parseImageReference(given).ok === 'boolean'));
});
