import { expect, test } from 'vitest';
import { parseCode } from './code.ts';

/** The names of a file's sections, and the first line of each. */
async function sectionsOf(source: string, name: string): Promise<Record<string, string>> {
  const { text, structure } = await parseCode(source, name);
  const entries = (structure.sections ?? []).map(({ start, headings }) => [
    headings.join(' > '),
    text.slice(start).split('\n', 1)[0]?.trim(),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

test.each<[string, string, Record<string, string>]>([
  [
    'a.ts',
    `import x from 'y';
/** Adds. */
export const add = (a: number, b: number) => a + b;
const inner = function () {};
const none = 1;
export namespace Space {
  export class Sum {
    // Of all.
    of(): void { function hidden() {} }
  }
}
@decorated
export default class Two {}
interface Shape {}
`,
    {
      add: '/** Adds. */',
      inner: 'const inner = function () {};',
      Space: 'export namespace Space {',
      'Space > Sum': 'export class Sum {',
      'Space > Sum > of': '// Of all.',
      Two: '@decorated',
      Shape: 'interface Shape {}',
    },
  ],
  [
    'a.py',
    '@cached\ndef f():\n  def g(): pass\n\nclass A:\n  x = """\ndef not_one():\n"""\n  async def m(self): pass\n',
    { f: '@cached', A: 'class A:', 'A > m': 'async def m(self): pass' },
  ],
  [
    'a.cpp',
    'namespace n {\ntemplate <class T>\nclass A {\n  int g();\n};\n}\nint *twice(int a) { return 0; }\nvoid A::h() {}\nstruct S s;\n',
    {
      n: 'namespace n {',
      'n > A': 'template <class T>',
      twice: 'int *twice(int a) { return 0; }',
      'A::h': 'void A::h() {}',
    },
  ],
  [
    'a.rs',
    '/// Doc.\nimpl Shape for Square {\n  fn area() {}\n}\npub fn b() {}\nenum E { A }\n',
    { Square: '/// Doc.', 'Square > area': 'fn area() {}', b: 'pub fn b() {}', E: 'enum E { A }' },
  ],
  [
    'a.go',
    'package a\n// S is.\ntype S struct{}\nfunc (s *S) Close() error { return nil }\n',
    { S: '// S is.', Close: 'func (s *S) Close() error { return nil }' },
  ],
  [
    'a.java',
    '/** Doc. */\npublic class A {\n  A() {}\n  @Override\n  void m() {}\n}\n',
    { A: '/** Doc. */', 'A > A': 'A() {}', 'A > m': '@Override' },
  ],
  [
    'a.rb',
    'module M\n  class A\n    def f; end\n  end\nend\n',
    { M: 'module M', 'M > A': 'class A', 'M > A > f': 'def f; end' },
  ],
  ['a.php', '<?php\nclass B {\n  function c() {}\n}\n', { B: 'class B {', 'B > c': 'function c() {}' }],
  [
    'a.cs',
    'namespace N;\nclass A {\n  void M() {}\n}\nrecord R(int a);\n',
    { N: 'namespace N;', A: 'class A {', 'A > M': 'void M() {}', R: 'record R(int a);' },
  ],
  ['a.sh', 'f() {\n  echo\n}\nfunction g {\n  echo\n}\n', { f: 'f() {', g: 'function g {' }],
  [
    'a.ps1',
    'function Get-X { 1 }\nclass A {\n  [void] M() {}\n}\n',
    { 'Get-X': 'function Get-X { 1 }', A: 'class A {', 'A > M': '[void] M() {}' },
  ],
  [
    'a.kt',
    'fun a() {}\nclass B {\n    fun c() {}\n}\n',
    { a: 'fun a() {}', B: 'class B {', 'B > c': 'fun c() {}' },
  ],
])(
  '%s has a section a definition, with the comments and decorators above it',
  async (name, source, sections) => {
    expect(await sectionsOf(source, name)).toEqual(sections);
  },
);

test('invalid code is read nevertheless', async () => {
  const source = '<<<<<<< HEAD\n}}} def f(:\nclass A:\n  pass';
  expect((await parseCode(source, 'a.py')).text.replace(/\n+/g, '\n')).toBe(source);
});
