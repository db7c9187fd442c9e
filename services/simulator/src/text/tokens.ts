/**
 * The simulator's tokenizer. Not a real vocabulary, but a fixed rule, so that counts add up everywhere:
 * a token is an optional single space followed by one of
 *   - up to 10 ASCII letters,
 *   - up to 3 digits,
 *   - any other single code point that is not whitespace;
 * a whitespace character that no token took is a token of its own.
 * The tokens of a text joined are the text, and no token cuts a code point.
 */
export function tokenize(text: string): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = tokenEnd(text, at);
    tokens.push(text.slice(at, end));
    at = end;
  }
  return tokens;
}

/** How many tokens `tokenize` would return, without making them. */
export function countTokens(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; count++) at = tokenEnd(text, at);
  return count;
}

const maxLetters = 10;
const maxDigits = 3;

/** Where the token that starts at `start` ends (exclusive). */
export function tokenEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  let at = start;
  if (first === 0x20) {
    at++;
    if (at === text.length || isSpace(text.charCodeAt(at))) return at;
  } else if (isSpace(first)) {
    return at + 1;
  }
  const code = text.charCodeAt(at);
  if (isLetter(code)) return runEnd(text, at, maxLetters, isLetter);
  if (isDigit(code)) return runEnd(text, at, maxDigits, isDigit);
  return at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
}

function runEnd(text: string, start: number, most: number, belongs: (code: number) => boolean): number {
  const limit = Math.min(text.length, start + most);
  let at = start + 1;
  while (at < limit && belongs(text.charCodeAt(at))) at++;
  return at;
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0 || code === 0x2028 || code === 0x2029;
}
