/** How the mock is to answer one request. */
export interface Directive {
  /** Number of streamed chunks (`n`). */
  readonly chunks: number;
  /** Milliseconds between chunks (`i`); 0 sends them as fast as the socket takes them. */
  readonly intervalMs: number;
  /** Milliseconds before the first byte (`d`). */
  readonly delayMs: number;
  /** HTTP status (`s`). */
  readonly status: number;
  /** Bytes of text in a non-streamed answer (`b`). */
  readonly textBytes: number;
}

export const DEFAULT_DIRECTIVE: Directive = { chunks: 50, intervalMs: 0, delayMs: 0, status: 200, textBytes: 140 };

const IN_TEXT = Buffer.from('[[mock ');
const IN_MODEL = Buffer.from('"mock-');
const LETTERS = { n: 'chunks', i: 'intervalMs', d: 'delayMs', s: 'status', b: 'textBytes' } as const;

const isLetter = (letter: string | undefined): letter is keyof typeof LETTERS =>
  letter !== undefined && letter in LETTERS;

/**
 * Finds the directive in a request body: `[[mock n=200 i=33 d=5 s=429 b=600]]` in any text, or the same letters in a
 * model name, `mock-n200-i33`. It is searched for in the bytes, because parsing 1 MB of JSON would cost the load core
 * more than the gateway under test.
 */
export function findDirective(body: Buffer): Directive {
  const inText = body.indexOf(IN_TEXT);
  if (inText >= 0)
    return parse(until(body.toString('latin1', inText + IN_TEXT.length, clamp(body, inText + 120)), ']]'));
  const inModel = body.indexOf(IN_MODEL);
  if (inModel < 0) return DEFAULT_DIRECTIVE;
  return parse(
    until(body.toString('latin1', inModel + IN_MODEL.length, clamp(body, inModel + 80)), '"').replaceAll('-', ' '),
  );
}

function parse(text: string): Directive {
  const found: { -readonly [K in keyof Directive]: number } = { ...DEFAULT_DIRECTIVE };
  for (const [, letter, digits] of text.matchAll(/(?:^|\s)([nidsb])=?(\d+)/g)) {
    if (isLetter(letter)) found[LETTERS[letter]] = Number(digits);
  }
  return found;
}

const clamp = (body: Buffer, end: number): number => Math.min(body.length, end);

function until(text: string, end: string): string {
  const at = text.indexOf(end);
  return at < 0 ? text : text.slice(0, at);
}
