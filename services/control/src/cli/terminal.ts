/** Where a command says what it found. */
export interface Terminal {
  /** The result, for people or for a program that reads it. */
  out(text: string): void;
  /** What is said about it, which no program reads. */
  say(text: string): void;
  readonly json: boolean;
}

export function processTerminal(json: boolean): Terminal {
  // Whoever reads us may stop in the middle, as `head` does.
  process.stdout.on('error', () => process.exit(0));
  return {
    out: (text) => void process.stdout.write(text),
    say: (text) => void process.stderr.write(`${text}\n`),
    json,
  };
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
