import { type Fate, type Feature, fateOf } from './feature.ts';
import { FEATURES } from './matrix.ts';
import { LISTED, type ProviderRow } from './providers.ts';

const BEGIN = '<!-- matrix:begin -->';
const END = '<!-- matrix:end -->';

/** The README with the table of providers and features anew between its markers. */
export function withTable(readme: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md lacks the markers ${BEGIN} and ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n${table()}\n${readme.slice(end)}`;
}

/** What the matrix declares, and its tests prove: a row for each README row, the worst fate of its features in each cell. */
function table(): string {
  const rows = [...new Set(FEATURES.flatMap(({ row }) => (row === null ? [] : [row])))];
  const lines = rows.map((row) => {
    const features = FEATURES.filter((feature) => feature.row === row);
    return `| ${row} | ${LISTED.map((provider) => cell(features, provider)).join(' | ')} |`;
  });
  const heads = LISTED.map(({ title }) => title).join(' | ');
  return `| | ${heads} |\n| --- |${' :-: |'.repeat(LISTED.length)}\n${lines.join('\n')}`;
}

function cell(features: readonly Feature[], { name }: ProviderRow): string {
  const about = features.filter(({ only }) => only?.includes(name) ?? true);
  const fates = about.map((feature) => fateOf(feature, name));
  return fates.map(symbol).sort((a, b) => SEVERITY.indexOf(b) - SEVERITY.indexOf(a))[0] ?? '';
}

const SEVERITY = ['✓', 'warns', '400'];

function symbol(fate: Fate): string {
  switch (fate.kind) {
    case 'works':
      return '✓';
    case 'warns':
      return 'warns';
    case 'refuses':
      return String(fate.status);
    default:
      return fate satisfies never;
  }
}
