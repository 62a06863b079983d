/**
 * Float tensors of a file that `torch.save` wrote: a zip of the tensors' bytes, and a pickle that says what they are
 * (https://pytorch.org/docs/stable/notes/serialization.html). A pickle is a program; this interprets only the few
 * instructions and the four names of a state dict, and runs nothing else. The file is read whole, which suits single
 * layers.
 */
import { floatsOf, type FloatTensor, type FloatType } from './safetensors.ts';

type Value =
  | null
  | number
  | boolean
  | string
  | readonly Value[]
  | Map<Value, Value>
  | Named
  | Storage
  | { tensor: FloatTensor };
interface Named {
  name: string;
}
interface Storage {
  type: FloatType;
  bytes: Buffer;
}

const STORAGES: Readonly<Record<string, FloatType>> = {
  'torch FloatStorage': 'F32',
  'torch HalfStorage': 'F16',
  'torch BFloat16Storage': 'BF16',
};

/** By name, as float32. Throws a SyntaxError for anything but named tensors of floats. */
export function torchTensors(file: Buffer): Map<string, FloatTensor> {
  const entries = zipEntries(file);
  const pickle = [...entries.keys()].find((name) => name.endsWith('/data.pkl'));
  if (pickle === undefined) throw notTorch('it has no data.pkl');
  const folder = pickle.slice(0, -'data.pkl'.length);
  const bytesOf = (key: string) => {
    const bytes = entries.get(`${folder}data/${key}`);
    if (bytes === undefined) throw notTorch(`it has no data/${key}`);
    return bytes;
  };
  const value = unpickled(entries.get(pickle) ?? Buffer.alloc(0), bytesOf);
  if (!(value instanceof Map)) throw notTorch('it holds no named tensors');
  const tensors = new Map<string, FloatTensor>();
  for (const [name, held] of value) {
    if (typeof name === 'string' && isOf(held, 'tensor')) tensors.set(name, held.tensor);
  }
  return tensors;
}

/** The opcode of each instruction (Python's pickletools). */
const DO = {
  proto: 0x80,
  stop: 0x2e,
  mark: 0x28,
  put: 0x71,
  longPut: 0x72,
  get: 0x68,
  longGet: 0x6a,
  none: 0x4e,
  true: 0x88,
  false: 0x89,
  int: 0x4a,
  byte: 0x4b,
  short: 0x4d,
  text: 0x58,
  name: 0x63,
  noTuple: 0x29,
  tuple: 0x74,
  tuple1: 0x85,
  tuple2: 0x86,
  tuple3: 0x87,
  dict: 0x7d,
  setItem: 0x73,
  setItems: 0x75,
  persistent: 0x51,
  reduce: 0x52,
  build: 0x62,
} as const;

function unpickled(code: Buffer, bytesOf: (key: string) => Buffer): Value {
  const stack: Value[] = [];
  const marks: number[] = [];
  const memo = new Map<number, Value>();
  let at = 0;
  const take = (size: number): number => {
    if (at + size > code.length) throw notTorch('its pickle ends early');
    at += size;
    return at - size;
  };
  const pop = (): Value => {
    const value = stack.pop();
    if (value === undefined) throw notTorch('its pickle pops from an empty stack');
    return value;
  };
  const sinceMark = (): Value[] => stack.splice(marks.pop() ?? 0);
  const line = (): string => {
    const end = code.indexOf(0x0a, at);
    if (end === -1) throw notTorch('its pickle ends early');
    const text = code.toString('latin1', at, end);
    at = end + 1;
    return text;
  };
  for (;;) {
    const instruction = code[take(1)] ?? 0;
    switch (instruction) {
      case DO.proto:
        take(1);
        break;
      case DO.stop:
        return pop();
      case DO.mark:
        marks.push(stack.length);
        break;
      case DO.put:
        memo.set(code.readUInt8(take(1)), stack.at(-1) ?? null);
        break;
      case DO.longPut:
        memo.set(code.readUInt32LE(take(4)), stack.at(-1) ?? null);
        break;
      case DO.get:
        stack.push(memo.get(code.readUInt8(take(1))) ?? null);
        break;
      case DO.longGet:
        stack.push(memo.get(code.readUInt32LE(take(4))) ?? null);
        break;
      case DO.none:
        stack.push(null);
        break;
      case DO.true:
      case DO.false:
        stack.push(instruction === DO.true);
        break;
      case DO.byte:
        stack.push(code.readUInt8(take(1)));
        break;
      case DO.short:
        stack.push(code.readUInt16LE(take(2)));
        break;
      case DO.int:
        stack.push(code.readInt32LE(take(4)));
        break;
      case DO.text: {
        const length = code.readUInt32LE(take(4));
        const from = take(length);
        stack.push(code.toString('utf8', from, from + length));
        break;
      }
      case DO.name:
        stack.push({ name: `${line()} ${line()}` });
        break;
      case DO.noTuple:
        stack.push([]);
        break;
      case DO.tuple:
        stack.push(sinceMark());
        break;
      case DO.tuple1:
      case DO.tuple2:
      case DO.tuple3:
        stack.push(stack.splice(DO.tuple1 - instruction - 1));
        break;
      case DO.dict:
        stack.push(new Map());
        break;
      case DO.setItem:
        setItems(stack, [pop(), pop()].reverse());
        break;
      case DO.setItems:
        setItems(stack, sinceMark());
        break;
      case DO.persistent:
        stack.push(storageOf(pop(), bytesOf));
        break;
      case DO.reduce: {
        const given = pop();
        stack.push(called(pop(), given));
        break;
      }
      case DO.build:
        // Other attributes of a state dict, such as its modules' versions.
        pop();
        break;
      default:
        throw notTorch(`its pickle has an instruction that tensors do not need: ${instruction}`);
    }
  }
}

function setItems(stack: Value[], items: readonly Value[]): void {
  const held = stack.at(-1);
  if (!(held instanceof Map)) throw notTorch('its pickle sets items of something that is not a dict');
  for (let n = 0; n + 1 < items.length; n += 2) held.set(items[n] ?? null, items[n + 1] ?? null);
}

function storageOf(id: Value, bytesOf: (key: string) => Buffer): Storage {
  const [kind, type, key] = Array.isArray(id) ? (id as readonly Value[]) : [];
  const named = isOf(type, 'name') && Object.hasOwn(STORAGES, type.name) ? STORAGES[type.name] : undefined;
  if (kind !== 'storage' || named === undefined || typeof key !== 'string')
    throw notTorch(`it holds values other than floats${isOf(type, 'name') ? `, a ${type.name}` : ''}`);
  return { type: named, bytes: bytesOf(key) };
}

/** The result of calling one of a state dict's names with these arguments. */
function called(name: Value, given: Value): Value {
  const args = Array.isArray(given) ? (given as readonly Value[]) : [];
  switch (isOf(name, 'name') ? name.name : undefined) {
    case 'collections OrderedDict':
      return new Map();
    case 'torch._utils _rebuild_parameter':
      return args[0] ?? null;
    case 'torch._utils _rebuild_tensor_v2':
      return { tensor: tensorOf(args) };
    default:
      throw notTorch(
        `its pickle calls ${isOf(name, 'name') ? name.name : 'something'}, which is not allowed`,
      );
  }
}

function tensorOf([storage, offset, size, stride]: readonly Value[]): FloatTensor {
  const sizes = numbersIn(size);
  const strides = numbersIn(stride);
  if (!isOf(storage, 'bytes') || typeof offset !== 'number' || sizes.length !== strides.length)
    throw notTorch('it has a tensor without a storage');
  const all = floatsOf(storage.bytes, storage.type);
  const count = sizes.reduce((product, one) => product * one, 1);
  if (!(count <= all.length)) throw notTorch('it has a tensor that is larger than its storage');
  const values = new Float32Array(count);
  for (let n = 0; n < values.length; n += 1) {
    let place = offset;
    for (let rest = n, axis = sizes.length - 1; axis >= 0; axis -= 1) {
      const length = sizes[axis] ?? 1;
      place += (rest % length) * (strides[axis] ?? 0);
      rest = Math.floor(rest / length);
    }
    const value = all[place];
    if (value === undefined) throw notTorch('it has a tensor that is larger than its storage');
    values[n] = value;
  }
  return { dimensions: sizes, values };
}

function numbersIn(value: Value | undefined): number[] {
  const numbers = Array.isArray(value) ? (value as readonly Value[]) : [];
  return numbers.filter((one) => typeof one === 'number');
}

function isOf<Key extends string>(
  value: Value | undefined,
  key: Key,
): value is Extract<Value, Record<Key, unknown>> {
  return typeof value === 'object' && value !== null && key in value;
}

/** Stored entries of a zip, by name, as the central directory at its end lists them (APPNOTE.TXT 4.3). */
function zipEntries(file: Buffer): Map<string, Buffer> {
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end === -1 || end + 22 > file.length) throw notTorch('it is not a zip file');
  const entries = new Map<string, Buffer>();
  let at = file.readUInt32LE(end + 16);
  for (let left = file.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (at + 46 > file.length) throw notTorch('its list of files ends early');
    const [method, size, whole] = [
      file.readUInt16LE(at + 10),
      file.readUInt32LE(at + 20),
      file.readUInt32LE(at + 24),
    ];
    const [name, extra, comment] = [28, 30, 32].map((place) => file.readUInt16LE(at + place)) as [
      number,
      number,
      number,
    ];
    const local = file.readUInt32LE(at + 42);
    if (method !== 0 || size !== whole || local + 30 > file.length) throw notTorch('it is compressed');
    const from = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    if (from + size > file.length) throw notTorch('it ends early');
    entries.set(file.toString('utf8', at + 46, at + 46 + name), file.subarray(from, from + size));
    at += 46 + name + extra + comment;
  }
  return entries;
}

function notTorch(why: string): SyntaxError {
  return new SyntaxError(`not a file of tensors that torch saved: ${why}`);
}
