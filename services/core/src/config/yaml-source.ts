import {
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import type { ConfigIssue } from './config-error.ts';
import { type Environment, interpolate } from './interpolate.ts';

export type Path = readonly PropertyKey[];

interface Position {
  readonly line: number;
  readonly column: number;
}

/** A parsed YAML text that can say where in it a path stands, and which values came out of environment variables. */
export class YamlSource {
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #variables = new Map<string, readonly string[]>();
  readonly #unquoted = new Set<string>();

  private constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  static parse(text: string): { source: YamlSource; issues: ConfigIssue[] } {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
    const source = new YamlSource(document, lines);
    const sourceLines = text.split('\n');
    const issues = document.errors.map((error) => {
      const { line, column } = source.#position(error.pos[0]);
      const hint = (sourceLines[line - 1] ?? '').includes('${')
        ? ` (inside { } or [ ], write \${NAME} in quotes: "\${NAME}")`
        : '';
      return { path: '', line, column, message: `not valid YAML: ${error.message}${hint}` };
    });
    return { source, issues };
  }

  /** Replaces variables in the values of the named top-level sections, or of all of them. */
  interpolate(env: Environment, sections: readonly string[] | null = null): ConfigIssue[] {
    const issues: ConfigIssue[] = [];
    visit(this.#document, {
      Scalar: (key, scalar, ancestors) => {
        if (key === 'key' || typeof scalar.value !== 'string') return;
        const path = pathOf(ancestors, key);
        if (sections !== null && !sections.includes(String(path[0]))) return;
        const result = interpolate(scalar.value, env);
        if (!result.ok) {
          issues.push(this.issue(path, result.reason));
          return;
        }
        if (result.variables.length > 0) this.#variables.set(dotted(path), result.variables);
        if (result.text !== scalar.value && scalar.type === 'PLAIN') this.#unquoted.add(dotted(path));
        scalar.value = result.text;
      },
    });
    return issues;
  }

  /** The document as plain values; an empty document is an empty mapping. */
  toValue(): unknown {
    return this.#document.toJS() ?? {};
  }

  /** Variables that went into the value at a path. */
  variablesAt(path: Path): readonly string[] {
    return this.#variables.get(dotted(path)) ?? [];
  }

  /** True for `port: ${PORT}`: without quotes a variable's text may stand for a number or a boolean. */
  isUnquotedReference(path: Path): boolean {
    return this.#unquoted.has(dotted(path));
  }

  issue(path: Path, message: string, at: 'value' | 'key' = 'value'): ConfigIssue {
    const { line, column } = this.#locate(path, at);
    return { path: dotted(path), line, column, message };
  }

  /** Where a path stands; for a path that is not in the file, where its nearest parent stands. */
  #locate(path: Path, at: 'value' | 'key'): Position {
    let node: unknown = this.#document.contents;
    let offset = nodeOffset(node) ?? 0;
    for (const [index, segment] of path.entries()) {
      const last = index === path.length - 1;
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(segment));
        if (pair === undefined) break;
        offset =
          (at === 'key' && last ? nodeOffset(pair.key) : nodeOffset(pair.value)) ?? nodeOffset(pair.key) ?? offset;
        node = pair.value;
      } else if (isCollection(node)) {
        const item: unknown = node.items[Number(segment)];
        if (item === undefined) break;
        offset = nodeOffset(item) ?? offset;
        node = item;
      } else break;
    }
    return this.#position(offset);
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function nodeOffset(node: unknown): number | null {
  const range = (node as Node | null)?.range;
  return range?.[0] ?? null;
}

function pathOf(ancestors: readonly unknown[], key: number | 'key' | 'value' | null): PropertyKey[] {
  const path: PropertyKey[] = [];
  for (const [index, ancestor] of ancestors.entries()) {
    if (isPair(ancestor)) path.push(isScalar(ancestor.key) ? String(ancestor.key.value) : String(ancestor.key));
    else if (isCollection(ancestor) && !isMap(ancestor)) {
      const child = ancestors[index + 1];
      path.push(child === undefined ? Number(key) : ancestor.items.indexOf(child));
    }
  }
  return path;
}

export function dotted(path: Path): string {
  return path.map(String).join('.');
}
