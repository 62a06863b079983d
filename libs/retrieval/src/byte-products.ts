/**
 * Dot products of vectors of signed bytes with SIMD, eight numbers per instruction: late interaction compares every
 * token of a query with every token of a hundred hits, and V8 does not vectorise JavaScript loops.
 *
 * One WebAssembly module per process, assembled here from its instructions on first use. Its memory holds the operands
 * of one call and grows to the largest; results are copied out, so that calls do not affect one another.
 */

/** A row's length must be a multiple of this, the numbers that the loop processes at once. */
const STEP = 16;
/** The numbers in a block of right-hand rows: a few megabytes, whatever the input. */
const BLOCK = 4 * 1024 * 1024;
const PAGE = 65_536;

/** The part of WebAssembly's API used here; its full types come only with those of browsers. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

interface Kernel {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  /** Each of `n` rows (int8) times each of `m` rows (int16): `n` × `m` sums (int32). */
  products(left: number, m: number, right: number, n: number, dims: number, out: number): void;
  /** Each of `n` rows (int8) times itself. */
  squares(right: number, n: number, dims: number, out: number): void;
}

/**
 * For each row of `right` its products with all rows of `left`, concatenated: rows of `right` × rows of `left`. Exact
 * for rows of up to 130,000 numbers.
 */
export function byteProducts(left: Int8Array, right: Int8Array, dims: number): Int32Array {
  const width = widthOf(dims);
  const [m, n] = [left.length / dims, right.length / dims];
  const products = new Int32Array(m * n);
  if (products.length === 0) return products;
  const atOnce = Math.max(1, Math.min(n, Math.floor(BLOCK / Math.max(width, 4 * m))));
  const rightAt = m * width * 2;
  const outAt = rightAt + atOnce * width;
  const { memory, products: multiply } = kernelFor(outAt + atOnce * m * 4);
  putRows(new Int16Array(memory.buffer, 0, m * width), left, dims, width);
  for (let from = 0; from < n; from += atOnce) {
    const count = Math.min(atOnce, n - from);
    const rows = right.subarray(from * dims, (from + count) * dims);
    putRows(new Int8Array(memory.buffer, rightAt, count * width), rows, dims, width);
    multiply(0, m, rightAt, count, width, outAt);
    products.set(new Int32Array(memory.buffer, outAt, count * m), from * m);
  }
  return products;
}

/** The product of each row with itself: its squared length. */
export function byteSquares(rows: Int8Array, dims: number): Int32Array {
  const width = widthOf(dims);
  const n = rows.length / dims;
  const squares = new Int32Array(n);
  const atOnce = Math.max(1, Math.min(n, Math.floor(BLOCK / width)));
  const { memory, squares: multiply } = kernelFor(atOnce * (width + 4));
  for (let from = 0; from < n; from += atOnce) {
    const count = Math.min(atOnce, n - from);
    const some = rows.subarray(from * dims, (from + count) * dims);
    putRows(new Int8Array(memory.buffer, 0, count * width), some, dims, width);
    multiply(0, count, width, atOnce * width);
    squares.set(new Int32Array(memory.buffer, atOnce * width, count), from);
  }
  return squares;
}

const widthOf = (dims: number): number => Math.ceil(dims / STEP) * STEP;

/** Copies rows of `dims` numbers to rows of `width`, padded with zeros. */
function putRows(to: Int8Array | Int16Array, rows: Int8Array, dims: number, width: number): void {
  if (width === dims) return to.set(rows);
  to.fill(0);
  for (let row = 0; row * dims < rows.length; row += 1)
    to.set(rows.subarray(row * dims, (row + 1) * dims), row * width);
}

let kernel: Kernel | undefined;

function kernelFor(bytes: number): Kernel {
  kernel ??= new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports as Kernel;
  const missing = bytes - kernel.memory.buffer.byteLength;
  if (missing > 0) kernel.memory.grow(Math.ceil(missing / PAGE));
  return kernel;
}

/** WebAssembly's instructions (webassembly.github.io/spec/core/binary), by their official names. */
const i32 = {
  const0: [0x41, 0],
  const: (value: number) => [0x41, value],
  store: [0x36, 2, 0],
  add: [0x6a],
  mul: [0x6c],
  shl: [0x74],
  lessThan: [0x49],
};
const simd = (operation: number, ...immediates: number[]) =>
  operation < 0x80
    ? [0xfd, operation, ...immediates]
    : [0xfd, (operation & 0x7f) | 0x80, operation >> 7, ...immediates];
/** Loads eight 16-bit numbers. */
const load16x8 = (offset: number) => simd(0x00, 4, offset);
/** Loads eight 8-bit numbers, widened to 16 bits. */
const load8x8 = (offset: number) => simd(0x01, 3, offset);
const splat = simd(0x11);
const lane = (index: number) => simd(0x1b, index);
const add32x4 = simd(0xae);
/** Multiplies eight pairs, and adds neighbouring products. */
const dot16x8 = simd(0xba);
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const END = 0x0b;
/** Repeats the body as long as it leaves a nonzero number. */
const loop = (...body: number[][]) => [0x03, 0x40, ...body.flat(), 0x0d, 0, END];
const advance = (local: number, ...by: number[][]) => [
  ...get(local),
  ...by.flat(),
  ...i32.add,
  ...set(local),
];
/** `from` + `rows` × `bytes`. */
const after = (from: number, rows: number, ...bytes: number[][]) => [
  ...get(from),
  ...get(rows),
  ...bytes.flat(),
  ...i32.mul,
  ...i32.add,
];
const isBefore = (local: number, end: number) => [...get(local), ...get(end), ...i32.lessThan];
/** Stores the sum of four lanes, and advances past it. */
const storeSum = (sums: number, out: number) => [
  ...get(out),
  ...[0, 1, 2, 3].flatMap((index) => [...get(sums), ...lane(index), ...(index === 0 ? [] : i32.add)]),
  ...i32.store,
  ...advance(out, i32.const(4)),
];

function productsBody(): number[] {
  const [left, m, right, n, dims, out, rightEnd, leftEnd, l, r, rowEnd, sums] = locals(12);
  return [
    ...[...after(right, n, get(dims)), ...set(rightEnd)],
    ...[...after(left, m, get(dims), i32.const(1), i32.shl), ...set(leftEnd)],
    ...loop(
      [...get(left), ...set(l)],
      [...get(right), ...get(dims), ...i32.add, ...set(rowEnd)],
      loop(
        [...get(right), ...set(r)],
        [...i32.const0, ...splat, ...set(sums)],
        loop(
          ...[0, 8].map((at) => [
            ...get(sums),
            ...[...get(r), ...load8x8(at), ...get(l), ...load16x8(2 * at), ...dot16x8],
            ...[...add32x4, ...set(sums)],
          ]),
          advance(l, i32.const(2 * STEP)),
          advance(r, i32.const(STEP)),
          isBefore(r, rowEnd),
        ),
        storeSum(sums, out),
        isBefore(l, leftEnd),
      ),
      advance(right, get(dims)),
      isBefore(right, rightEnd),
    ),
  ];
}

function squaresBody(): number[] {
  const [right, n, dims, out, rightEnd, rowEnd, eight, sums] = locals(8);
  return [
    ...[...after(right, n, get(dims)), ...set(rightEnd)],
    ...loop(
      [...get(right), ...get(dims), ...i32.add, ...set(rowEnd)],
      [...i32.const0, ...splat, ...set(sums)],
      loop(
        [...get(sums), ...get(right), ...load8x8(0), ...tee(eight), ...get(eight), ...dot16x8],
        [...add32x4, ...set(sums)],
        advance(right, i32.const(8)),
        isBefore(right, rowEnd),
      ),
      storeSum(sums, out),
      isBefore(right, rightEnd),
    ),
  ];
}

/** The indices of the locals, parameters first. */
const locals = (count: number) =>
  Array.from({ length: count }, (_, local) => local) as [
    ...[number, number, number, number, number, number],
    ...[number, number, number, number, number, number],
  ];

const I32 = 0x7f;
const V128 = 0x7b;

function moduleBytes(): Uint8Array {
  const functions = [
    { name: 'products', parameters: 6, numbers: 5, vectors: 1, body: productsBody() },
    { name: 'squares', parameters: 4, numbers: 2, vectors: 2, body: squaresBody() },
  ];
  const list = (items: number[][]) => [...unsigned(items.length), ...items.flat()];
  const sized = (bytes: number[]) => [...unsigned(bytes.length), ...bytes];
  const section = (id: number, items: number[][]) => [id, ...sized(list(items))];
  const named = (name: string) => sized([...Buffer.from(name)]);
  return Uint8Array.from([
    ...[0, ...Buffer.from('asm'), 1, 0, 0, 0],
    ...section(
      1,
      functions.map(({ parameters }) => [0x60, ...sized(Array.from({ length: parameters }, () => I32)), 0]),
    ),
    ...section(
      3,
      functions.map((_, n) => [n]),
    ),
    ...section(5, [[0, 1]]),
    ...section(7, [[...named('memory'), 2, 0], ...functions.map(({ name }, n) => [...named(name), 0, n])]),
    ...section(
      10,
      functions.map(({ numbers, vectors, body }) =>
        sized([
          ...list([
            [numbers, I32],
            [vectors, V128],
          ]),
          ...[...body, END],
        ]),
      ),
    ),
  ]);
}

/** An unsigned number as LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}
