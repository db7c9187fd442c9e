/** A failure that the person at the terminal can act on: shown as its message alone, without a stack. */
export class Failure extends Error {
  /**
   * @param {string} message  what happened, and the way out
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}

/**
 * Runs a program's main function; a failure becomes a message on stderr and an exit code.
 *
 * @param {() => Promise<number>} main  resolves to the exit code
 */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    const failure = error instanceof Failure ? error : undefined;
    process.stderr.write(
      `\nheadgate: ${failure ? failure.message : error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exitCode = failure?.exitCode ?? 1;
  }
}

/** @param {string} line  progress, told to the person at the terminal */
export function say(line) {
  process.stdout.write(`headgate: ${line}\n`);
}
