/**
 * @typedef {object} Running
 * @property {string} host
 * @property {number} port
 * @property {string} apiKey
 * @property {boolean} simulated
 * @property {string[]} providers
 * @property {string} exampleModel  empty where no model is set up
 * @property {string | null} configFile
 * @property {number} seconds  how long the start took
 * @property {string} logs  the folder
 * @property {string | null} [keysCommand]  makes another key; null: nothing can
 */

/**
 * What a newcomer needs next, in lines that work when pasted.
 *
 * @param {Running} running
 * @returns {string}
 */
export function banner(running) {
  const baseUrl = `${originOf(running)}/v1`;
  const { keysCommand = 'npx headgate keys create --name my-app' } = running;
  const lines = [
    '',
    `Headgate is ready (${running.seconds.toFixed(1)} s), with an embedder. Ctrl-C stops it; logs are in ${running.logs}.`,
    '',
    `  base URL  ${baseUrl}`,
    `  API key   ${running.apiKey}`,
    `  answers   ${answeredBy(running)}`,
    ...(keysCommand === null ? [] : [`  more keys ${keysCommand}`]),
    '',
  ];
  if (running.exampleModel !== '') {
    const request = { model: running.exampleModel, messages: [{ role: 'user', content: 'Hello!' }] };
    lines.push(
      `  curl ${baseUrl}/chat/completions -H ${quoteForShell(`Authorization: Bearer ${running.apiKey}`)} ` +
        `-H 'Content-Type: application/json' -d ${quoteForShell(JSON.stringify(request))}`,
      '',
      `  import OpenAI from 'openai'; const openai = new OpenAI({ baseURL: ${JSON.stringify(baseUrl)}, apiKey: ` +
        `${JSON.stringify(running.apiKey)} }); console.log((await openai.chat.completions.create(` +
        `${JSON.stringify(request)})).choices[0].message.content);`,
      '',
    );
  }
  return `${lines.join('\n')}\n`;
}

/**
 * @param {{ host: string, port: number }} address  what the gateway listens on
 * @returns {string} an origin that a client on this machine can use
 */
export function originOf({ host, port }) {
  if (host === '0.0.0.0' || host === '') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @param {Running} running */
function answeredBy({ simulated, providers, configFile }) {
  if (!simulated) return `${providers.join(', ')}${configFile === null ? '' : `, as ${configFile} says`}`;
  return 'the simulator, with made-up text: no provider is set up. Set OPENAI_API_KEY, ANTHROPIC_API_KEY, ... or write headgate.yaml';
}

/**
 * @param {string} text
 * @returns {string} one word for a POSIX shell
 */
export function quoteForShell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
