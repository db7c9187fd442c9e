import { pick, randomFrom } from './random.ts';
import { tokenize } from './tokens.ts';

const subjects = [
  'the river',
  'a gate',
  'the miller',
  'an old map',
  'the harbour',
  'a lantern',
  'the clerk',
  'a heron',
];
const verbs = ['opens', 'carries', 'measures', 'follows', 'remembers', 'crosses', 'gathers', 'lifts'];
const objects = ['the water', 'a quiet field', 'seven barges', 'the morning light', 'a narrow bridge', 'every ledger'];
const endings = ['before dawn', 'without a sound', 'as planned', 'once more', 'in good time', 'for 12 days'];
const multibyte = ['🌊', 'Wehr – Mühle', '水門', '👩🏽‍🌾 работа', 'élégant', '🚪✨', 'قناة', 'ñandú'];

export interface ProseOptions {
  readonly seed: number;
  /** Exactly so many tokens; otherwise two to five sentences. */
  readonly tokens?: number;
  /** Mixes in emoji and letters of several bytes. */
  readonly multibyte?: boolean;
}

/** Deterministic prose as tokens (see `tokenize`). */
export function prose(options: ProseOptions): string[] {
  const random = randomFrom(options.seed);
  const sentence = () => {
    const extra = options.multibyte ? ` ${pick(multibyte, random)}` : '';
    const words = `${pick(subjects, random)} ${pick(verbs, random)} ${pick(objects, random)}${extra} ${pick(endings, random)}.`;
    return words.charAt(0).toUpperCase() + words.slice(1);
  };
  if (options.tokens === undefined) {
    const sentences = 2 + Math.floor(random() * 4);
    return tokenize(Array.from({ length: sentences }, sentence).join(' '));
  }
  const tokens: string[] = [];
  while (tokens.length < options.tokens) {
    for (const token of tokenize(tokens.length === 0 ? sentence() : ` ${sentence()}`)) tokens.push(token);
  }
  tokens.length = options.tokens;
  return tokens;
}
