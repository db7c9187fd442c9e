/** pino's numbers: 40 is a warning, 50 an error, 60 fatal. */
const LEVELS = new Map([
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
]);
const SERIOUS = new Set(['warn', 'warning', 'error', 'fatal']);
/** What a reader at the console knows without being told. */
const SAID_OTHERWISE = new Set(['time', 'level', 'service', 'pid', 'hostname', 'name', 'msg', 'v']);

/**
 * What of a line that a service printed belongs on the console as well as in its log: warnings and errors in a few
 * words, and all that is not a log record, such as the stack of an uncaught exception, as it is.
 *
 * @param {string} line
 * @returns {string | undefined}
 */
export function consoleText(line) {
  if (line.trim() === '') return undefined;
  const record = parseRecord(line);
  if (record === undefined) return line;
  const level = LEVELS.get(record.level) ?? String(record.level).toLowerCase();
  if (!SERIOUS.has(level)) return undefined;
  const rest = Object.entries(record).filter(([name]) => !SAID_OTHERWISE.has(name));
  const details = rest.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(rest))}`;
  return `${level}: ${record.msg ?? ''}${details}`;
}

/**
 * @param {string} line
 * @returns {Record<string, any> | undefined}
 */
function parseRecord(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
