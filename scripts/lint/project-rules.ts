import { join } from 'node:path';
import { importProblem, toPath } from './import-boundaries.ts';

/** What these rules use of a syntax tree. */
interface Node {
  readonly type: string;
  readonly source?: { readonly type: string; readonly value?: unknown } | null;
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

/** Reports imports in `src` that the layers do not allow, type imports and dynamic ones included. */
function importBoundaries(context: Context): Visitor {
  const from = toPath(join(context.cwd, 'src'), context.filename);
  const check = (node: Node): void => {
    const specifier = node.source?.value;
    const message = typeof specifier === 'string' ? importProblem(from, specifier) : null;
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

/** The rules of this project, for oxlint (`.oxlintrc.json`). */
export default {
  meta: { name: 'project' },
  rules: {
    'import-boundaries': { create: importBoundaries },
    'no-privileged-containers': { create: noPrivilegedContainers },
  },
};
