/** pino's numbers: 40 is a warning, 50 an error, 60 fatal. */
const WARNING = 40;
const SERIOUS = new Set(['warn', 'warning', 'error', 'fatal']);

/**
 * Whether a line that a service printed belongs on the console as well as in its log: warnings and errors, and all that
 * is not a log record, such as the stack of an uncaught exception.
 *
 * @param {string} line
 * @returns {boolean}
 */
export function worthEchoing(line) {
  if (line.trim() === '') return false;
  if (!line.startsWith('{')) return true;
  try {
    const { level } = JSON.parse(line);
    return typeof level === 'number' ? level >= WARNING : SERIOUS.has(String(level).toLowerCase());
  } catch {
    return true;
  }
}
