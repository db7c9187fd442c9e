/** A letter or digit, a bracket or quotation mark that opens, or a sign that leads on to more. */
const LEADS_ON = /[\p{L}\p{M}\p{N}\p{Ps}\p{Pi}\p{Pd}\p{Sc},;:&+=/\\،؛、，；：]$/u;
const FENCE = /^ {0,3}(?:```|~~~)/gm;

/**
 * Whether a text breaks off before its end as far as can be seen: in the middle of a sentence, or of a block of code. What has
 * no punctuation at all (a bare number, Thai) looks unfinished, too.
 */
export function isPlainlyUnfinished(text: string): boolean {
  return LEADS_ON.test(text.trimEnd()) || (text.match(FENCE)?.length ?? 0) % 2 === 1;
}
