/** What a PromQL expression asks for, and whether a scrape has it. No parser: promtool checks the syntax (files.check.ts). */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

interface Selection {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

/** Labels that Prometheus itself adds, and that of histograms. */
const TARGET_LABELS = ['namespace', 'pod', 'job', 'instance', 'service'];
const KEYWORDS = [
  'by',
  'without',
  'on',
  'ignoring',
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'group_left',
  'group_right',
];

/** The series of a scrape, in Prometheus's text format. */
export function readSeries(text: string): Series[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    return name === undefined
      ? []
      : [{ name, labels: Object.fromEntries(matchersOf(labels).map((m) => [m.label, m.value])) }];
  });
}

/** One line for each metric, label or label value that no series has. */
export function missingFrom(series: readonly Series[], expr: string): string[] {
  const { selections, grouped } = read(expr);
  if (selections.length === 0) return [`${expr}: asks for no metric`];
  const faults: string[] = [];
  const known = new Set(TARGET_LABELS);
  for (const { metric, matchers } of selections) {
    const found = series.filter(({ name }) => name === metric);
    if (found.length === 0) faults.push(`no series is called ${metric}`);
    for (const { labels } of found) for (const label of Object.keys(labels)) known.add(label);
    for (const { label, operator, value } of matchers) {
      if (TARGET_LABELS.includes(label) && !found.some(({ labels }) => label in labels)) continue;
      if (value.startsWith('$')) {
        if (!found.some(({ labels }) => label in labels)) faults.push(`${metric} has no label ${label}`);
      } else if (!found.some(({ labels }) => holds(operator, labels[label] ?? '', value))) {
        faults.push(`no ${metric} has ${label}${operator}"${value}"`);
      }
    }
  }
  for (const label of grouped) if (!known.has(label)) faults.push(`nothing in it has the label ${label}`);
  return faults.map((fault) => `${fault}, asked for by ${expr}`);
}

function holds(operator: string, found: string, wanted: string): boolean {
  const matches = operator.endsWith('~') ? new RegExp(`^(?:${wanted})$`).test(found) : found === wanted;
  return operator.startsWith('!') ? !matches : matches;
}

function read(expr: string): { selections: Selection[]; grouped: string[] } {
  const grouped: string[] = [];
  const matchers: Matcher[][] = [];
  const bare = expr
    .replaceAll(/\{([^}]*)\}/g, (_, inside: string) => `#${matchers.push(matchersOf(inside)) - 1} `)
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g, (_, inside: string) => {
      grouped.push(
        ...inside
          .split(',')
          .map((label) => label.trim())
          .filter((label) => label !== ''),
      );
      return ' ';
    });
  const selections = [...bare.matchAll(/(?<![\w.$])([a-zA-Z_:][\w:]*)(?:#(\d+))?(?!\w*\s*\()/g)].flatMap(
    ([whole, metric = '', at]): Selection[] => {
      if (KEYWORDS.includes(whole)) return [];
      return [{ metric, matchers: at === undefined ? [] : (matchers[Number(at)] ?? []) }];
    },
  );
  return { selections, grouped };
}

function matchersOf(text: string): Matcher[] {
  return [...text.matchAll(/(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"/g)].map(
    ([, label = '', operator = '', value = '']) => ({
      ...{ label, operator },
      value: value.replaceAll('\\"', '"').replaceAll('\\\\', '\\'),
    }),
  );
}
