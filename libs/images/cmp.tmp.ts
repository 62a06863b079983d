import { readFileSync, readdirSync } from 'node:fs';
import { decodeImage } from './src/decode.ts';
const ref = JSON.parse(readFileSync('/tmp/words-tmp/pics.json', 'utf8')) as Record<string, any>;
for (const [name, r] of Object.entries(ref)) {
  let got: Uint8Array | undefined; let err = '';
  try { got = await decodeImage(readFileSync('/tmp/words-tmp/pics/' + name), { size: 24, resize: 'shortest' }); } catch (e: any) { err = e.code + ' ' + e.message; }
  if (r.error) { console.log(got ? 'READ-BUT-PILLOW-FAILS' : 'both-refuse', name, r.error, err); continue; }
  if (!got) { console.log('REFUSED', name, r.mode, err.slice(0, 150)); continue; }
  const rgb = Buffer.from(r.rgb, 'hex'); const l = Math.floor((r.w - 24) / 2), t = Math.floor((r.h - 24) / 2);
  let max = 0, sum = 0; for (let y = 0; y < 24; y++) for (let x = 0; x < 24; x++) for (let c = 0; c < 3; c++) { const d = Math.abs(rgb[((y + t) * r.w + x + l) * 3 + c]! - got[(y * 24 + x) * 3 + c]!); max = Math.max(max, d); sum += d; }
  if (max > 0) console.log('DIFF', name, r.mode, 'max', max, 'mean', (sum / 1728).toFixed(2));
}
