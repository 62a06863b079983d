import { shortestFloats } from '@embedmill/jobs';
import { quantized, type VectorForm } from './quantized.ts';

/**
 * A vector in the format of OpenAI's responses: numbers, or base64 of little-endian float32. For number formats other
 * than `float`: its bytes, as numbers or in base64.
 */
export function encodedVector(
  vector: Float32Array,
  format: 'float' | 'base64',
  form: 'float' | VectorForm,
): number[] | string {
  if (form !== 'float') {
    const bytes = quantized(vector, form);
    return format === 'float' ? bytes : Buffer.from(bytes).toString('base64');
  }
  if (format === 'float') return shortestFloats(vector);
  return base64Vector(vector);
}

/** A vector as little-endian float32, in base64. */
export function base64Vector({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
