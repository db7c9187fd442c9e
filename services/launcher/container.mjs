#!/nodejs/bin/node
/**
 * The first process of the container image: runs the service that its first argument names, with the other arguments.
 *
 *   docker run IMAGE                                          the whole gateway
 *   docker run IMAGE ingress | embedder | control | simulator [ARGUMENTS...]
 *   docker exec CONTAINER headgate keys list                  the command line of the admin API
 */
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** From EX_USAGE of sysexits.h: the command was used wrongly. */
const EXIT_USAGE = 64;

/** @type {Readonly<Record<string, string>>} */
const MAINS = {
  all: 'launcher/container-all.mjs',
  ingress: 'ingress/dist/main.js',
  embedder: 'embedder/dist/main.js',
  control: 'control/dist/main.js',
  simulator: 'simulator/dist/main.js',
  headgate: 'control/bin/headgate.mjs',
};

// `headgate`, on the PATH of the image, is a link to this file.
const isCommandLine = path.basename(process.argv[1] ?? '') === 'headgate';
if (isCommandLine) process.argv.splice(2, 0, 'headgate');
const role = process.argv[2] ?? '';
const main = Object.hasOwn(MAINS, role) ? MAINS[role] : undefined;
if (main === undefined) {
  process.stderr.write(
    `headgate: there is no role ${JSON.stringify(role)}; the first argument must be one of: ${Object.keys(MAINS).join(', ')}\n`,
  );
  process.exit(EXIT_USAGE);
}
// Where the role `all` notes what the command line needs to know.
if (role === 'headgate') process.env.HEADGATE_STATE_DIR ||= '/data';

// The kernel ignores a signal for process 1 that nobody handles. Until the service listens to it, it ends us here.
for (const [signal, code] of /** @type {const} */ ([
  ['SIGTERM', 143],
  ['SIGINT', 130],
])) {
  const leave = () => process.exit(code);
  process.on(signal, leave);
  process.on('newListener', (event, listener) => {
    // Afterwards: without any listener in between, node would stop listening for good.
    if (event === signal && listener !== leave) queueMicrotask(() => process.off(signal, leave));
  });
}

// As if it had been started itself: its options, and the workers it forks, go by this.
const file = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', main);
process.argv.splice(1, 2, file);
await import(pathToFileURL(file).href);
