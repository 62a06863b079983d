import { createRequire } from 'node:module';
import { extname } from 'node:path/posix';
import type { Language, Node, Parser } from '@vscode/tree-sitter-wasm';

/** A function, class or similar definition in source code. */
export interface Definition {
  name: string;
  /** Its first line, from 0. */
  line: number;
  /** From 1, the outermost. */
  level: number;
}

const GRAMMARS: Readonly<Record<string, readonly string[]>> = {
  bash: ['.sh', '.bash'],
  'c-sharp': ['.cs'],
  cpp: ['.c', '.h', '.cc', '.cpp', '.cxx', '.hpp', '.hh'],
  go: ['.go'],
  java: ['.java'],
  javascript: ['.js', '.mjs', '.cjs', '.jsx'],
  php: ['.php'],
  powershell: ['.ps1'],
  python: ['.py', '.pyi'],
  ruby: ['.rb'],
  rust: ['.rs'],
  tsx: ['.tsx'],
  typescript: ['.ts', '.mts', '.cts'],
};
const GRAMMAR_OF = new Map(
  Object.entries(GRAMMARS).flatMap(([grammar, endings]) => endings.map((ending) => [ending, grammar])),
);

/** Types of nodes that are definitions, in any language: of functions and of containers. */
const FUNCTION =
  /^(?:generator_)?(?:function|method|constructor|destructor)_(?:declaration|definition|item|statement)$|^(?:method|singleton_method|class_method_definition|type_alias_declaration|type_declaration|delegate_declaration|type_item)$/;
const HOLDER =
  /^(?:abstract_class|class|interface|enum|struct|union|record|trait|namespace|file_scoped_namespace|module|annotation_type)_(?:declaration|definition|specifier|item|statement)$|^(?:impl_item|mod_item|internal_module|class|module)$/;
/** Types of nodes that may contain definitions; others are not searched. */
const AROUND =
  /^(?:program|module|source_file|translation_unit|compilation_unit|statement_list|block|export_statement|decorated_definition|ambient_declaration|expression_statement|lexical_declaration|template_declaration|linkage_specification|preproc_\w+|if_statement|else_clause)$|_(?:body|list)$|^(?:body|body_statement|declaration_list|statement_block)$/;
/** Types of nodes that are function values in JavaScript. */
const FUNCTION_VALUE = /^(?:arrow_function|function_expression|generator_function|class)$/;
const DEEPEST = 16;

const require = createRequire(import.meta.url);
let started: ReturnType<typeof start> | undefined;
const languages = new Map<string, Promise<Language>>();

/** The definitions in a file, in order, by its language's grammar; undefined if there is no grammar. */
export async function definitionsIn(source: string, name: string): Promise<Definition[] | undefined> {
  const grammar = GRAMMAR_OF.get(extname(name).toLowerCase());
  if (grammar === undefined) return undefined;
  const parser = await parserOf(grammar);
  const tree = parser.parse(source);
  if (tree === null) return undefined;
  try {
    const found: Definition[] = [];
    collect(tree.rootNode, { level: 1, depth: 0, line: undefined }, found);
    return found;
  } finally {
    tree.delete();
    parser.delete();
  }
}

async function parserOf(grammar: string): Promise<Parser> {
  started ??= start();
  const { Language: Loaded, Parser: Started } = await started;
  let language = languages.get(grammar);
  if (language === undefined) {
    language = Loaded.load(require.resolve(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${grammar}.wasm`));
    languages.set(grammar, language);
  }
  const parser = new Started();
  parser.setLanguage(await language);
  return parser;
}

async function start() {
  const { default: module } = await import('@vscode/tree-sitter-wasm');
  await module.Parser.init();
  return module;
}

interface Place {
  level: number;
  depth: number;
  /** Where the node begins, including its decorators or `export`. */
  line: number | undefined;
}

function collect(node: Node, { level, depth, line }: Place, found: Definition[]): void {
  if (depth > DEEPEST) return;
  for (const child of node.namedChildren) {
    if (child === null) continue;
    const begins = line ?? child.startPosition.row;
    const isHolder = HOLDER.test(child.type);
    const name = isHolder || FUNCTION.test(child.type) || isNamedFunction(child) ? nameOf(child) : undefined;
    if (name !== undefined) {
      found.push({ name, line: begins, level });
      if (isHolder) collect(child, { level: level + 1, depth: depth + 1, line: undefined }, found);
    } else if (AROUND.test(child.type)) {
      const isWrapper =
        /^(?:export_statement|decorated_definition|template_declaration|lexical_declaration)$/;
      collect(
        child,
        { level, depth: depth + 1, line: isWrapper.test(child.type) ? begins : undefined },
        found,
      );
    }
  }
}

/** `const f = () => …`. */
function isNamedFunction(node: Node): boolean {
  if (node.type !== 'variable_declarator') return false;
  const value = node.childForFieldName('value');
  return value !== null && FUNCTION_VALUE.test(value.type);
}

/** The name of a definition; undefined for a mere declaration without a body. */
function nameOf(node: Node): string | undefined {
  if (/_specifier$/.test(node.type) && node.childForFieldName('body') === null) return undefined;
  let named =
    node.childForFieldName('name') ?? node.childForFieldName('type') ?? node.childForFieldName('declarator');
  if (node.type === 'function_definition' && node.childForFieldName('declarator') !== null)
    named = node.childForFieldName('declarator');
  // In C, a function's name is within its declarator, together with its parameters.
  for (let inner = named; inner !== null; inner = inner.childForFieldName('declarator')) named = inner;
  named ??=
    node.namedChildren.find((child) => child !== null && /name$|^type_spec$/.test(child.type)) ?? null;
  if (named?.type === 'type_spec') named = named.childForFieldName('name');
  const text = named?.text.trim();
  return text === undefined || text === '' || text.length > 200 ? undefined : text;
}
