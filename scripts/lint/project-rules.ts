import { join } from 'node:path';
import { importProblem, toPath } from './import-boundaries.ts';

/** What these rules use of a syntax tree. */
interface Node {
  readonly type: string;
  readonly source?: { readonly type: string; readonly value?: unknown } | null;
  readonly specifiers?: readonly { readonly type: string; readonly imported?: NamedNode }[];
  readonly name?: string;
  readonly value?: unknown;
  readonly argument?: Node | null;
  readonly expression?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly callee?: Node;
  readonly id?: Node;
  readonly init?: Node | null;
}

interface NamedNode {
  readonly name?: string;
  readonly value?: unknown;
}

interface Context {
  readonly cwd: string;
  readonly filename: string;
  report(problem: { readonly node: Node; readonly message: string }): void;
}

type Visitor = Readonly<Record<string, (node: Node) => void>>;

const noPrivileges = 'No container may be privileged: say which capability or device it needs.';

const noLiteral =
  'Write the members themselves: the type checker does not look for members too many in the literal that is spread.';

const noOtherNever = 'A signal that nobody aborts is `never` of src/core/never.ts.';

/** Reports imports in `src` that the layers do not allow, type imports and dynamic ones included. */
function importBoundaries(context: Context): Visitor {
  const from = toPath(join(context.cwd, 'src'), context.filename);
  const check = (node: Node): void => {
    const specifier = node.source?.value;
    const names = (node.specifiers ?? []).map(({ imported }) => String(imported?.name ?? imported?.value));
    const message = typeof specifier === 'string' ? importProblem(from, specifier, names) : null;
    if (message !== null) context.report({ node, message });
  };
  return {
    ImportDeclaration: check,
    ExportAllDeclaration: check,
    ExportNamedDeclaration: check,
    ImportExpression: check,
  };
}

/** Reports the word wherever it could reach an engine: as a name or in a text. */
function noPrivilegedContainers(context: Context): Visitor {
  const check = (node: Node, text: unknown): void => {
    if (/privileged/i.test(String(text))) context.report({ node, message: noPrivileges });
  };
  return {
    Identifier: (node) => check(node, node.name),
    Literal: (node) => check(node, node.value),
    TemplateElement: (node) => check(node, JSON.stringify(node.value)),
  };
}

/** Reports `...{ a, b }`; what is spread on a condition is no literal. */
function noSpreadLiteral(context: Context): Visitor {
  return {
    SpreadElement(node) {
      if (withoutTypes(node.argument)?.type === 'ObjectExpression')
        context.report({ node, message: noLiteral });
    },
  };
}

/** Reports the signal of an AbortController that nobody holds. */
function noOwnNever(context: Context): Visitor {
  const isController = (node: Node | null | undefined): boolean =>
    node?.type === 'NewExpression' && node.callee?.name === 'AbortController';
  return {
    MemberExpression(node) {
      if (isController(node.object) && node.property?.name === 'signal')
        context.report({ node, message: noOtherNever });
    },
    VariableDeclarator(node) {
      if (isController(node.init) && node.id?.type === 'ObjectPattern')
        context.report({ node, message: noOtherNever });
    },
  };
}

/** The expression within `as const` and the like. */
function withoutTypes(node: Node | null | undefined): Node | null | undefined {
  return node?.expression === undefined ? node : withoutTypes(node.expression);
}

/** The rules of this project, for oxlint (`.oxlintrc.json`). */
export default {
  meta: { name: 'project' },
  rules: {
    'import-boundaries': { create: importBoundaries },
    'no-privileged-containers': { create: noPrivilegedContainers },
    'no-spread-literal': { create: noSpreadLiteral },
    'no-own-never': { create: noOwnNever },
  },
};
